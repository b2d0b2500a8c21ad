package eventtype

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/the-eye-events/the-eye/internal/event"
)

// orderedObject is a JSON object whose members keep their order.
type orderedObject []objectMember

type objectMember struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o orderedObject) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for n, m := range o {
		if n > 0 {
			b.WriteByte(',')
		}

		for _, side := range []any{m.name, m.value} {
			text, err := encodeJSON(side)
			if err != nil {
				return nil, err
			}

			b.Write(text)
			b.WriteByte(':')
		}

		b.Truncate(b.Len() - 1)
	}

	b.WriteByte('}')
	return b.Bytes(), nil
}

// ProposeSchema proposes a schema that all added payloads fit. Of payloads that are too
// large to describe it describes the upper levels.
func (i *Inference) ProposeSchema() (json.RawMessage, error) {
	for depth := event.DefaultRules().Depth; depth > 0; depth-- {
		text, err := i.describeSlot(i.root, depth, i.marked.rootMarks()).MarshalJSON()
		if err != nil {
			return nil, err
		}

		if _, err := CompileSchema(text); err == nil {
			return text, nil
		}
	}

	return json.RawMessage(`{"type":"object"}`), nil
}

// describeSlot describes a slot and this many levels inside it. at are the marks at the
// slot.
func (i *Inference) describeSlot(p *slot, levels int, at *applicableMarks) orderedObject {
	var o orderedObject
	add := func(name string, value any) { o = append(o, objectMember{name, value}) }
	switch types := p.typeNames(); len(types) {
	case 0:
		return orderedObject{}
	case 1:
		add("type", types[0])
	default:
		add("type", types)
	}

	if format := i.commonFormat(p); format != "" {
		add("format", format)
	} else if values := p.enumValues(); values != nil && (at == nil || !at.leads) {
		add("enum", values)
	}

	if levels == 0 {
		return o
	}

	if len(p.members) > 0 {
		var required []string
		var properties orderedObject
		for _, name := range slices.Sorted(maps.Keys(p.members)) {
			inner := p.members[name]
			if inner.seen == p.objects {
				required = append(required, name)
			}

			properties = append(properties, objectMember{name, i.describeSlot(inner, levels-1, i.marked.memberMarksIfAny(at, name))})
		}

		if required != nil {
			add("required", required)
		}

		add("properties", properties)
	}

	if p.others != nil {
		add("additionalProperties", i.describeSlot(p.others, levels-1, i.marked.memberMarksIfAny(at, "")))
	}

	if p.items != nil {
		add("items", i.describeSlot(p.items, levels-1, i.marked.itemMarksIfAny(at)))
	}

	return o
}

// typeNames returns the names of the types that were seen.
func (p *slot) typeNames() (names []string) {
	for _, one := range []struct {
		name string
		seen int
	}{
		{"object", p.objects}, {"array", p.arrays}, {"string", p.strings}, {"number", p.numbers}, {"integer", p.integers}, {"boolean", p.booleans}, {"null", p.nulls},
	} {
		if one.seen > 0 && (one.name != "integer" || p.numbers == 0) { // every integer is a number
			names = append(names, one.name)
		}
	}

	return names
}

// commonFormat returns the format that all texts have; a format does not restrict other
// values.
func (i *Inference) commonFormat(p *slot) string {
	for bit, f := range i.formats {
		if p.strings > 0 && p.formatBits&(1<<bit) != 0 {
			return f.name
		}
	}

	return ""
}

// enumValues returns the values of a slot that seems to have a fixed set of values.
func (p *slot) enumValues() []string {
	if p.strings == 0 || p.strings != p.seen || p.values == nil {
		return nil
	}

	var values []string
	for text, n := range p.values {
		if n < minEnumEach {
			return nil
		}

		values = append(values, text)
	}

	slices.SortFunc(values, strings.Compare)
	return values
}
