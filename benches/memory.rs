//! Allocations and bytes a node of the tree: `cargo bench --bench memory`.
#![allow(unsafe_code, clippy::print_stdout)]

#[path = "manifests/mod.rs"]
mod manifests;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kplan::source::SourceText;
use kplan::yaml::{self, Value, View};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with counts.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn nodes(view: View<'_>) -> usize {
    match view.value() {
        Value::Map(_) => 1 + view.fields().map(|(_, value)| 1 + nodes(value)).sum::<usize>(),
        Value::Seq(_) => 1 + view.items().map(nodes).sum::<usize>(),
        _ => 1,
    }
}

fn main() {
    let text: SourceText = manifests::stream(25 << 20).into();
    let (allocations, live) = (ALLOCATIONS.load(Relaxed), LIVE.load(Relaxed));
    PEAK.store(live, Relaxed);
    let start = std::time::Instant::now();
    let file = yaml::read(&text);
    let time = start.elapsed();
    let allocations = ALLOCATIONS.load(Relaxed) - allocations;
    let bytes = LIVE.load(Relaxed) - live;
    let peak = PEAK.load(Relaxed) - live;
    let nodes: usize =
        file.documents.iter().filter_map(|document| document.root).map(|root| nodes(file.tree.view(root))).sum();
    let each = |sum: usize| sum as f64 / nodes as f64;
    println!("{} bytes, {} documents, {nodes} nodes (keys counted), {time:.3?}", text.len(), file.documents.len());
    println!("allocations: {allocations}, {:.2} a document", allocations as f64 / file.documents.len() as f64);
    println!(
        "held: {bytes} bytes, {:.1} a node, {:.2} a byte of source",
        each(bytes),
        bytes as f64 / text.len() as f64
    );
    println!("peak: {peak} bytes");
}
