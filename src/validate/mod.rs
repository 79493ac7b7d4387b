//! What the API server would refuse, in its words: a function per upstream function, by API group.
