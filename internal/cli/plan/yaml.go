package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// The YAML tags that have an equivalent in JSON.
const (
	nullTag   = "!!null"
	boolTag   = "!!bool"
	intTag    = "!!int"
	floatTag  = "!!float"
	stringTag = "!!str"
	timeTag   = "!!timestamp"
)

// maxDocument bounds the JSON of a document, because aliases can repeat a value a billion
// times.
const maxDocument = eventtype.MaxSchemaBytes + maxDocumentOverhead

var errTooLarge = errors.New("it is too large; a schema has at most 64 KiB")

// toJSON renders a YAML document as JSON, members in their order.
func toJSON(document *yaml.Node) ([]byte, error) {
	c := converter{aliases: map[*yaml.Node]bool{}}
	if err := c.writeValue(document); err != nil {
		return nil, err
	}

	return c.out.Bytes(), nil
}

type converter struct {
	out bytes.Buffer
	// aliases are the aliases being followed.
	aliases map[*yaml.Node]bool
	visited int
}

func (c *converter) writeValue(n *yaml.Node) error {
	if c.visited++; c.out.Len() > maxDocument || c.visited > maxDocument {
		return errTooLarge
	}

	switch n.Kind {
	case yaml.DocumentNode:
		return c.writeValue(n.Content[0])
	case yaml.AliasNode:
		if c.aliases[n.Alias] {
			return fmt.Errorf("line %d: *%s contains itself", n.Line, n.Value)
		}

		c.aliases[n.Alias] = true
		defer delete(c.aliases, n.Alias)

		return c.writeValue(n.Alias)
	case yaml.MappingNode:
		return c.writeMapping(n)
	case yaml.ScalarNode:
		return c.writeScalar(n)
	case yaml.SequenceNode:
		c.out.WriteByte('[')
		for i, inner := range n.Content {
			if i > 0 {
				c.out.WriteByte(',')
			}

			if err := c.writeValue(inner); err != nil {
				return err
			}
		}

		c.out.WriteByte(']')
		return nil
	default:
		return fmt.Errorf("line %d: unknown kind of value", n.Line)
	}
}

func (c *converter) writeMapping(n *yaml.Node) error {
	seen := map[string]int{}
	c.out.WriteByte('{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i]
		switch {
		case name.Kind != yaml.ScalarNode || name.Tag != stringTag:
			return fmt.Errorf("line %d: the name %q is not a string; put it into quotes", name.Line, name.Value)
		case seen[name.Value] > 0:
			return fmt.Errorf("line %d: %q is in line %d already", name.Line, name.Value, seen[name.Value])
		}

		seen[name.Value] = name.Line
		if i > 0 {
			c.out.WriteByte(',')
		}

		c.writeString(name.Value)
		c.out.WriteByte(':')
		if err := c.writeValue(n.Content[i+1]); err != nil {
			return err
		}
	}

	c.out.WriteByte('}')
	return nil
}

func (c *converter) writeScalar(n *yaml.Node) error {
	switch n.ShortTag() {
	case stringTag, timeTag: // JSON has no times; the text of a date is meant
		c.writeString(n.Value)
	case nullTag:
		c.out.WriteString("null")
	case boolTag:
		var value bool
		if err := n.Decode(&value); err != nil {
			return err //nolint:wrapcheck // it begins with yaml:
		}

		c.out.WriteString(strconv.FormatBool(value))
	case intTag, floatTag:
		return c.writeNumber(n)
	default:
		return fmt.Errorf("line %d: JSON has no equivalent of %s", n.Line, n.ShortTag())
	}

	return nil
}

// writeNumber copies a number if its text is valid JSON, and converts it otherwise.
func (c *converter) writeNumber(n *yaml.Node) error {
	if json.Valid([]byte(n.Value)) {
		c.out.WriteString(n.Value)
		return nil
	}

	var whole int64
	if n.ShortTag() == intTag && n.Decode(&whole) == nil {
		c.out.WriteString(strconv.FormatInt(whole, 10))
		return nil
	}

	var value float64
	if err := n.Decode(&value); err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
		return fmt.Errorf("line %d: JSON has no number %s", n.Line, n.Value)
	}

	c.out.WriteString(strconv.FormatFloat(value, 'g', -1, 64))
	return nil
}

func (c *converter) writeString(value string) {
	encoder := json.NewEncoder(&c.out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // neither a string nor a buffer fails
	c.out.Truncate(c.out.Len() - 1)
}
