package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// RenderYAML renders a type as a document for Read, the members of its schema in their
// order. header holds lines of comment and may be empty.
func RenderYAML(t *eventtype.Type, header string) ([]byte, error) {
	return renderType(t, header, false)
}

// RenderJSON renders a type as a document for Read.
func RenderJSON(t *eventtype.Type) ([]byte, error) {
	text, err := json.Marshal(struct {
		eventtype.Key
		eventtype.Spec
	}{t.Key, t.Spec})
	if err != nil {
		return nil, fmt.Errorf("render an event type: %w", err)
	}

	return indentJSON(text)
}

func indentJSON(text []byte) ([]byte, error) {
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return nil, fmt.Errorf("render an event type: %w", err)
	}

	indented.WriteByte('\n')
	return indented.Bytes(), nil
}

// schemaYAML renders a schema, its members in their order.
func schemaYAML(schema json.RawMessage) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(schema))
	decoder.UseNumber()
	document, err := readNode(decoder, false)
	if err != nil {
		return nil, fmt.Errorf("read a schema: %w", err)
	}

	return encodeYAML(document)
}

func encodeYAML(document *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	const spaces = 2
	encoder.SetIndent(spaces)
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("render an event type: %w", err)
	}

	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("render an event type: %w", err)
	}

	return out.Bytes(), nil
}

// canonicalText renders a type so that equivalent types have the same text.
func canonicalText(t *eventtype.Type) (string, error) {
	if t == nil {
		return "", nil
	}

	text, err := renderType(t, "", true)
	return string(text), err
}

func renderType(t *eventtype.Type, header string, sorted bool) ([]byte, error) {
	document := &yaml.Node{Kind: yaml.MappingNode, HeadComment: header}
	add := func(name string, value *yaml.Node) {
		document.Content = append(document.Content, newScalar(name), value)
	}
	add("category", newScalar(t.Category))
	add("name", newScalar(t.Name))
	add("mode", newScalar(string(t.Mode)))
	if t.Description != "" {
		add("description", newScalar(t.Description))
	}

	if t.Schema != nil {
		decoder := json.NewDecoder(bytes.NewReader(t.Schema))
		decoder.UseNumber()
		schema, err := readNode(decoder, sorted)
		if err != nil {
			return nil, fmt.Errorf("read the schema of %s: %w", t.Path(), err)
		}

		add("schema", schema)
	}

	text, err := encodeYAML(document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Path(), err)
	}

	return text, nil
}

// readNode reads the next JSON value as a YAML node.
func readNode(decoder *json.Decoder, sorted bool) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what was read
	}

	switch v := token.(type) {
	case json.Delim:
		return readCollection(decoder, v, sorted)
	case string:
		return newScalar(v), nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(v)}, nil
	}

	return &yaml.Node{Kind: yaml.ScalarNode, Value: "null"}, nil
}

func readCollection(decoder *json.Decoder, opened json.Delim, sorted bool) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	if opened == '{' {
		n.Kind = yaml.MappingNode
	}

	for decoder.More() {
		inner, err := readNode(decoder, sorted)
		if err != nil {
			return nil, err
		}

		n.Content = append(n.Content, inner)
	}

	if _, err := decoder.Token(); err != nil {
		return nil, err //nolint:wrapcheck // as above
	}

	if sorted && n.Kind == yaml.MappingNode {
		members := slices.Collect(slices.Chunk(n.Content, 2))
		slices.SortFunc(members, func(a, b []*yaml.Node) int { return strings.Compare(a[0].Value, b[0].Value) })
		n.Content = slices.Concat(members...)
	}

	if n.Kind == yaml.SequenceNode && !slices.ContainsFunc(n.Content, func(e *yaml.Node) bool { return e.Kind != yaml.ScalarNode }) {
		n.Style = yaml.FlowStyle // [a, b]
	}

	return n, nil
}

// plainPattern matches texts that every YAML reader, also of 1.1, reads as the same string.
const plainPattern = `^[A-Za-z_$][A-Za-z0-9_$/@.-]*( [A-Za-z0-9_$/@.-]+)*$`

// newScalar returns a node of a text; all texts but plain words are quoted.
func newScalar(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: stringTag, Value: text, Style: yaml.DoubleQuotedStyle}
	words := []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}
	if regexp.MustCompile(plainPattern).MatchString(text) && !slices.Contains(words, strings.ToLower(text)) {
		n.Style = 0
	}

	return n
}
