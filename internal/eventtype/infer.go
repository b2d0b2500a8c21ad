package eventtype

import (
	"encoding/json"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The rules of inference.
const (
	// maxNames is how many different names the members of an object may have; past it
	// the object is a dictionary, and all of its values share one slot.
	maxNames = 100
	// maxSlots bounds the places in payloads that are distinguished.
	maxSlots = 20_000
	// An enum is proposed when a text has at most maxEnum values, each of at most
	// maxEnumLength characters and seen at least minEnumEach times.
	maxEnum       = 10
	minEnumEach   = 20
	maxEnumLength = 64
)

// Inference collects the common structure of payloads. It is used by one goroutine.
type Inference struct {
	root    *slot
	events  int
	slots   int
	formats []namedFormat
	// marked is the schema in force, if it has marks.
	marked *looseRedactor
}

// namedFormat is a format that inference looks for in texts.
type namedFormat struct {
	name   string
	schema *jsonschema.Schema
}

// slot describes the values at one place in payloads.
type slot struct {
	seen, strings, integers, numbers, booleans, nulls, objects, arrays int

	// values counts the texts; nil when there are too many, or too long ones.
	values map[string]int
	// formatBits has a bit for each format that all texts have.
	formatBits uint8

	// members are the members of objects; nil in a dictionary, whose values are all in
	// others.
	members map[string]*slot
	others  *slot
	items   *slot
	// membersOpen and itemsOpen mean that some members or items were not examined.
	membersOpen, itemsOpen bool
}

// NewInference makes an inference without any payload.
func NewInference() (*Inference, error) {
	i := &Inference{}
	for _, name := range []string{"date-time", "uuid", "email", "uri"} {
		schema, err := CompileSchema([]byte(`{"format": "` + name + `"}`))
		if err != nil {
			return nil, err
		}

		i.formats = append(i.formats, namedFormat{name, schema.root})
	}

	i.root = i.newSlot()
	return i, nil
}

// HideMarked keeps the values that a schema marks out of the proposal: events may have
// been stored before the mark was set.
func (i *Inference) HideMarked(current *Schema) {
	if current != nil && current.marks.hasMarks() {
		i.marked = current.marks.newLooseRedactor(nil)
	}
}

// AddPayload adds the payload of an event, the text of a JSON object.
func (i *Inference) AddPayload(data []byte) error {
	payload, err := decodePayload(data)
	if err != nil {
		return err
	}

	i.events++
	i.addValue(i.root, payload)
	return nil
}

// Events returns how many payloads were added.
func (i *Inference) Events() int { return i.events }

// newSlot makes a slot; it returns nil past maxSlots.
func (i *Inference) newSlot() *slot {
	if i.slots == maxSlots {
		return nil
	}

	i.slots++
	return &slot{values: map[string]int{}, members: map[string]*slot{}, formatBits: 1<<len(i.formats) - 1}
}

func (i *Inference) addValue(p *slot, value any) {
	p.seen++
	switch v := value.(type) {
	case string:
		i.addText(p, v)
	case json.Number:
		if strings.Trim(v.String(), "-0123456789") == "" {
			p.integers++
		} else {
			p.numbers++
		}
	case bool:
		p.booleans++
	case map[string]any:
		p.objects++
		for name, inner := range v {
			i.addMember(p, name, inner)
		}
	case []any:
		p.arrays++
		for _, inner := range v {
			if p.items == nil && !p.itemsOpen {
				p.items = i.newSlot()
			}

			if p.items == nil {
				p.itemsOpen = true
				return
			}

			i.addValue(p.items, inner)
		}
	default:
		p.nulls++
	}
}

func (i *Inference) addText(p *slot, text string) {
	p.strings++
	if p.values != nil {
		p.values[text]++
		// Hashed values never make an enum, however few there are.
		if len(p.values) > maxEnum || utf8.RuneCountInString(text) > maxEnumLength || isHashed(text) {
			p.values = nil
		}
	}

	for bit, f := range i.formats {
		if mask := uint8(1) << bit; p.formatBits&mask != 0 && !f.matchesFormat(text) {
			p.formatBits &^= mask
		}
	}
}

// matchesFormat reports whether a text has the format. It ignores that texts such as
// a:b are URIs, too.
func (f namedFormat) matchesFormat(text string) bool {
	return (f.name != "uri" || strings.Contains(text, "://")) && f.schema.Validate(text) == nil
}

func (i *Inference) addMember(p *slot, name string, value any) {
	if p.members == nil {
		if p.others != nil {
			i.addValue(p.others, value)
		}

		return
	}

	inner := p.members[name]
	if inner == nil {
		if len(p.members) == maxNames {
			i.foldIntoDictionary(p) // otherwise it would be open for all names
			i.addMember(p, name, value)
			return
		}

		if p.membersOpen {
			return
		}

		if inner = i.newSlot(); inner == nil {
			p.membersOpen = true
			return
		}

		p.members[name] = inner
	}

	i.addValue(inner, value)
}

// foldIntoDictionary turns an object into a dictionary. An object with unknown members
// stays open for everything.
func (i *Inference) foldIntoDictionary(p *slot) {
	members := p.members
	p.members = nil
	if !p.membersOpen {
		p.others = i.newSlot()
	}

	for _, inner := range members {
		if p.others != nil {
			i.mergeSlot(p.others, inner)
		}
	}
}

// mergeSlot merges the slot from into p; from is not used again.
func (i *Inference) mergeSlot(p, from *slot) {
	p.seen += from.seen
	p.strings += from.strings
	p.integers += from.integers
	p.numbers += from.numbers
	p.booleans += from.booleans
	p.nulls += from.nulls
	p.objects += from.objects
	p.arrays += from.arrays
	p.formatBits &= from.formatBits

	if from.values == nil {
		p.values = nil
	}

	for text, n := range from.values {
		if p.values != nil {
			p.values[text] += n
		}
	}

	if len(p.values) > maxEnum {
		p.values = nil
	}

	switch p.itemsOpen = p.itemsOpen || from.itemsOpen; {
	case p.itemsOpen:
		p.items = nil
	case p.items == nil:
		p.items = from.items
	case from.items != nil:
		i.mergeSlot(p.items, from.items)
	}

	i.mergeMembers(p, from)
}

func (i *Inference) mergeMembers(p, from *slot) {
	p.membersOpen = p.membersOpen || from.membersOpen
	if p.members != nil && (from.members == nil || (!p.membersOpen && countUnion(p.members, from.members) > maxNames)) {
		i.foldIntoDictionary(p)
	}

	if p.members == nil {
		if p.membersOpen || (from.members == nil && from.others == nil) {
			p.others = nil
		}

		if p.others == nil {
			return
		}

		if from.others != nil {
			i.mergeSlot(p.others, from.others)
		}

		for _, inner := range from.members {
			i.mergeSlot(p.others, inner)
		}

		return
	}

	for name, inner := range from.members {
		if known := p.members[name]; known != nil {
			i.mergeSlot(known, inner)
		} else if !p.membersOpen {
			p.members[name] = inner
		}
	}

	if p.membersOpen { // the other may have left out a member that only one of them has
		maps.DeleteFunc(p.members, func(name string, _ *slot) bool { return from.members[name] == nil })
	}
}

// countUnion counts the names that are in a or b.
func countUnion(a, b map[string]*slot) int {
	n := len(a)
	for name := range b {
		if a[name] == nil {
			n++
		}
	}

	return n
}
