package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apiserver"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver/scheme"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/controlplane" // installs every built-in group in legacyscheme
)

// facts is what the Go types know and OpenAPI does not tell: the words of a
// decoding error, the embedded structs, and the life of a kind.
type facts struct {
	Kinds []kindFacts          `json:"kinds"`
	Types map[string]typeFacts `json:"types"` // by OpenAPI name
}

type kindFacts struct {
	Group       string `json:"group"`
	Version     string `json:"version"`
	Kind        string `json:"kind"`
	Type        string `json:"type"`
	Object      bool   `json:"object"` // has metadata of type ObjectMeta
	Introduced  string `json:"introduced,omitempty"`
	Deprecated  string `json:"deprecated,omitempty"`
	Removed     string `json:"removed,omitempty"`
	Replacement string `json:"replacement,omitempty"` // [GROUP/]VERSION/KIND
}

type typeFacts struct {
	Go      string       `json:"go"`   // as reflect prints it: v1.Container
	Name    string       `json:"name"` // Container
	Package string       `json:"package"`
	Leaf    bool         `json:"leaf,omitempty"` // reads its own JSON
	Fields  []fieldFacts `json:"fields,omitempty"`
}

type fieldFacts struct {
	Name      string   `json:"name"`
	Go        string   `json:"go"`    // without the pointer
	Shape     string   `json:"shape"` // in the grammar of schemas/*.facts, without the pointer
	Pointer   bool     `json:"pointer,omitempty"`
	OmitEmpty bool     `json:"omitempty,omitempty"`
	Embedded  []string `json:"embedded,omitempty"`
}

// The grammar's words for types that read their own JSON, or that stand for
// any JSON at all. Other types with an UnmarshalJSON are "any" too.
var leafShapes = map[string]string{
	"resource.Quantity":  "quantity",
	"intstr.IntOrString": "intorstring",
	"v1.Time":            "time",
	"v1.MicroTime":       "microtime",
	"v1.Duration":        "duration",
}

var (
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
	objectMeta  = reflect.TypeFor[metav1.ObjectMeta]()
)

func printFacts(out io.Writer) error {
	all := facts{Types: map[string]typeFacts{}}
	for gvk, goType := range knownKinds() {
		kind := describeKind(gvk, goType)
		all.Kinds = append(all.Kinds, kind)
		if err := all.reach(goType); err != nil {
			return fmt.Errorf("%s: %w", gvk, err)
		}
	}
	slices.SortFunc(all.Kinds, func(a, b kindFacts) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Kind, b.Kind))
	})
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", " ")
	return encoder.Encode(all)
}

// knownKinds joins the schemes of the three servers in kube-apiserver with the
// one of the client, which still has the kinds that the servers dropped.
func knownKinds() map[schema.GroupVersionKind]reflect.Type {
	kinds := map[schema.GroupVersionKind]reflect.Type{}
	schemes := []*runtime.Scheme{legacyscheme.Scheme, apiextensions.Scheme, aggregator.Scheme, clientscheme.Scheme}
	for _, scheme := range schemes {
		for gvk, goType := range scheme.AllKnownTypes() {
			if _, seen := kinds[gvk]; seen || gvk.Version == runtime.APIVersionInternal {
				continue
			}
			kinds[gvk] = goType
		}
	}
	return kinds
}

func describeKind(gvk schema.GroupVersionKind, goType reflect.Type) kindFacts {
	kind := kindFacts{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Type: modelName(goType)}
	if meta, found := goType.FieldByName("ObjectMeta"); found {
		kind.Object = meta.Type == objectMeta && jsonName(meta) == "metadata"
	}
	value := reflect.New(goType).Interface()
	if life, ok := value.(interface{ APILifecycleIntroduced() (int, int) }); ok {
		kind.Introduced = release(life.APILifecycleIntroduced())
	}
	if life, ok := value.(interface{ APILifecycleDeprecated() (int, int) }); ok {
		kind.Deprecated = release(life.APILifecycleDeprecated())
	}
	if life, ok := value.(interface{ APILifecycleRemoved() (int, int) }); ok {
		kind.Removed = release(life.APILifecycleRemoved())
	}
	if life, ok := value.(interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}); ok {
		next := life.APILifecycleReplacement()
		kind.Replacement = next.GroupVersion().String() + "/" + next.Kind
	}
	return kind
}

func release(major, minor int) string {
	return fmt.Sprintf("%d.%d", major, minor)
}

// reach adds a struct type and every struct type that its fields lead to.
func (all *facts) reach(goType reflect.Type) error {
	goType = innermost(goType)
	if goType.Kind() != reflect.Struct {
		return nil
	}
	id := modelName(goType)
	if known, seen := all.Types[id]; seen {
		if known.Package != goType.PkgPath() {
			return fmt.Errorf("two types are called %s", id)
		}
		return nil
	}
	described := typeFacts{Go: goType.String(), Name: goType.Name(), Package: goType.PkgPath(), Leaf: isLeaf(goType)}
	all.Types[id] = described
	if described.Leaf {
		return nil
	}
	fields, err := all.fields(goType, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	described.Fields = fields
	all.Types[id] = described
	return nil
}

// fields lists the JSON fields of a struct; those of embedded structs count as
// its own, and remember the way.
func (all *facts) fields(goType reflect.Type, way []string) ([]fieldFacts, error) {
	var fields []fieldFacts
	for field := range goType.Fields() {
		name := jsonName(field)
		if name == "-" || !field.IsExported() {
			continue
		}
		if field.Anonymous && name == "" {
			embedded, err := all.fields(innermost(field.Type), append(slices.Clone(way), field.Name))
			if err != nil {
				return nil, err
			}
			fields = append(fields, embedded...)
			continue
		}
		described, err := describeField(field, name, way)
		if err != nil {
			return nil, err
		}
		fields = append(fields, described)
		if err := all.reach(field.Type); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

func describeField(field reflect.StructField, name string, way []string) (fieldFacts, error) {
	goType, pointer := field.Type, false
	if goType.Kind() == reflect.Pointer {
		goType, pointer = goType.Elem(), true
	}
	shape, err := shapeOf(goType)
	if err != nil {
		return fieldFacts{}, fmt.Errorf("field %s: %w", field.Name, err)
	}
	if name == "" {
		name = field.Name
	}
	_, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	return fieldFacts{
		Name:      name,
		Go:        goType.String(),
		Shape:     shape,
		Pointer:   pointer,
		OmitEmpty: slices.Contains(strings.Split(options, ","), "omitempty"),
		Embedded:  way,
	}, nil
}

// shapeOf writes a Go type in the grammar of schemas/*.facts.
func shapeOf(goType reflect.Type) (string, error) {
	if isLeaf(goType) {
		return cmp.Or(leafShapes[goType.String()], "any"), nil
	}
	switch goType.Kind() {
	case reflect.String, reflect.Bool, reflect.Int32, reflect.Int64, reflect.Float64:
		return goType.Kind().String(), nil
	case reflect.Int:
		return "int64", nil
	case reflect.Struct:
		return "&" + modelName(goType), nil
	case reflect.Pointer:
		return shapeOf(goType.Elem())
	case reflect.Slice:
		if goType.Elem().Kind() == reflect.Uint8 {
			return "bytes", nil
		}
		element, err := shapeOf(goType.Elem())
		return "[]" + element, err
	case reflect.Map:
		element, err := shapeOf(goType.Elem())
		return "map:" + element, err
	case reflect.Interface:
		return "any", nil
	}
	return "", fmt.Errorf("no word for the Go type %s", goType)
}

// isLeaf tells whether a type reads its own JSON.
func isLeaf(goType reflect.Type) bool {
	return goType.Kind() != reflect.Pointer && reflect.PointerTo(goType).Implements(unmarshaler)
}

// innermost takes the pointers, lists and maps off a type.
func innermost(goType reflect.Type) reflect.Type {
	for {
		switch goType.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			goType = goType.Elem()
		default:
			return goType
		}
	}
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// modelName is the OpenAPI definition name of a type. A name that an embedded
// struct promotes is not its own.
func modelName(goType reflect.Type) string {
	suffix := "." + goType.Name()
	if named, ok := reflect.New(goType).Interface().(interface{ OpenAPIModelName() string }); ok {
		if name := named.OpenAPIModelName(); strings.HasSuffix(name, suffix) {
			return name
		}
	}
	host, path, _ := strings.Cut(goType.PkgPath(), "/")
	labels := strings.Split(host, ".")
	slices.Reverse(labels)
	return strings.Join(append(labels, strings.Split(path, "/")...), ".") + suffix
}
