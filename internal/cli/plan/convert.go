package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// ConvertFile reads documents of a plan, or schemas, from the file path, or from in if path
// is Stdin, and converts their schemas from the draft from to 2020-12. The output is JSON or
// YAML like the input. notes has a line for each part that was left out because it had no
// effect, or that still has none. It returns ErrInvalid with all problems.
func ConvertFile(path string, in io.Reader, from eventtype.Draft) (text []byte, notes []string, err error) {
	read, err := readText(path, in)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}

	c := conversion{from: from, json: holdsJSON(path, read)}
	each := yamlDocuments
	if c.json {
		each = jsonDocuments
	}

	err = each(read, func(document []byte, err error) {
		d := Document{File: path, Number: c.number + 1}
		c.number++
		if err == nil {
			err = c.convertDocument(&d, document)
		}

		if err != nil {
			c.problems = append(c.problems, d.describeFault(err)...)
		}

		c.notes = append(c.notes, d.Notes()...)
	})
	if err != nil {
		c.problems = append(c.problems, path+": "+err.Error())
	}

	if len(c.problems) > 0 {
		return nil, nil, fmt.Errorf("%w:\n%s", ErrInvalid, strings.Join(c.problems, "\n"))
	}

	if c.number == 0 {
		return nil, nil, fmt.Errorf("%w: %s has no schema", ErrInvalid, path)
	}

	return c.out.Bytes(), c.notes, nil
}

// conversion is the conversion of a file.
type conversion struct {
	from     eventtype.Draft
	json     bool
	number   int
	out      bytes.Buffer
	notes    []string
	problems []string
}

// convertDocument converts a document of a plan, or a schema, and writes it.
func (c *conversion) convertDocument(d *Document, text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return errors.New("it is not an object")
	}

	if c.number > 1 && !c.json {
		c.out.WriteString("---\n")
	}

	rendered, err := c.renderDocument(d, text, members["category"] != nil && members["name"] != nil)
	if err != nil {
		return err
	}

	c.out.Write(rendered)
	return nil
}

// renderDocument converts a document of a plan, or a schema, and returns its text.
func (c *conversion) renderDocument(d *Document, text []byte, isPlan bool) ([]byte, error) {
	if isPlan {
		if wrong := parseDocument(d, text, c.from); len(wrong) > 0 {
			c.problems = append(c.problems, wrong...)
			return nil, nil
		}

		t := &eventtype.Type{Key: d.Key, Spec: d.Spec}
		if c.json {
			return RenderJSON(t)
		}

		return RenderYAML(t, "")
	}

	d.Schema = text
	if err := d.convertSchema(c.from); err != nil {
		return nil, err
	}

	if _, err := eventtype.CompileSchema(d.Schema); err != nil {
		return nil, err
	}

	if c.json {
		return indentJSON(d.Schema)
	}

	return schemaYAML(d.Schema)
}
