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
	// maxNames is how many names the members of an object may have; past it the object is
	// a dictionary, and all its values are one thing.
	maxNames = 100
	// maxSlots bounds the places in payloads that are told apart.
	maxSlots = 20_000
	// An enum is proposed when a text has at most maxEnum values, each of at most
	// maxEnumLength characters, and each was seen minEnumEach times or more.
	maxEnum       = 10
	minEnumEach   = 20
	maxEnumLength = 64
)

// Inference collects what payloads have in common. It is used by one goroutine.
type Inference struct {
	root    *slot
	events  int
	slots   int
	formats []namedFormat
	// marked is the schema in force, if it has marks.
	marked *looseRedactor
}

// namedFormat is a format that texts may be found to have.
type namedFormat struct {
	name   string
	schema *jsonschema.Schema
}

// slot is what is known of the values at one place in payloads.
type slot struct {
	seen, strings, integers, numbers, booleans, nulls, objects, arrays int

	// values counts the texts; nil when there are too many, or too long ones.
	values map[string]int
	// formatBits has a bit for each format that all texts had.
	formatBits uint8

	// members are those of objects; nil in a dictionary, whose values are all in others.
	members map[string]*slot
	others  *slot
	items   *slot
	// membersOpen and itemsOpen tell that some of them were not looked at.
	membersOpen, itemsOpen bool
}

// NewInference makes one that has seen nothing.
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

// HideMarked keeps the values of what a schema marks out of what is proposed: events may
// have been stored before it was marked.
func (i *Inference) HideMarked(current *Schema) {
	if current != nil && current.marks.hasMarks() {
		i.marked = current.marks.newLooseRedactor(nil)
	}
}

// AddPayload takes in the payload of an event, the text of a JSON object.
func (i *Inference) AddPayload(data []byte) error {
	payload, err := decodePayload(data)
	if err != nil {
		return err
	}

	i.events++
	i.addValue(i.root, payload)
	return nil
}

// Events is how many payloads were taken in.
func (i *Inference) Events() int { return i.events }

// newSlot makes a slot; nil when there are enough.
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
		// What was hashed is no list of values, however few there are.
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

// matchesFormat reports whether a text has the format. That a:b is a URI, too, is no help.
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
			i.foldIntoDictionary(p) // or it is open for all names
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

// foldIntoDictionary makes a dictionary of an object. One of whose members some are not known stays
// open for everything.
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

// mergeSlot takes what is known of one slot into another one; the first is not used again.
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

	if p.membersOpen { // what only one of them knows, the other may have left out
		maps.DeleteFunc(p.members, func(name string, _ *slot) bool { return from.members[name] == nil })
	}
}

// countUnion counts the names that are in either.
func countUnion(a, b map[string]*slot) int {
	n := len(a)
	for name := range b {
		if a[name] == nil {
			n++
		}
	}

	return n
}
