package codegen

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The names that a generated struct has for other things than members of the schema.
const (
	extraField    = "Additional"
	marshalMethod = "MarshalJSON"
)

// goField is a member as a field of a struct.
type goField struct {
	goType

	name     string
	member   member
	optional bool
}

// writeObject writes the type of an object. Types of its parts are written before it.
func (w *goWriter) writeObject(name string, about []string, s *shape) {
	lines := append(slices.Clone(about), documentShape(s)...)
	if s.isMap() {
		text := w.mapType(s, name)
		w.writeComment(lines...)
		w.printf("type %s %s\n\n", name, text)
		return
	}

	fields := w.readFields(name, s)
	extra := ""
	if s.extra != nil && s.extra.kind != nothing {
		extra = w.elementOf(s.extra, name+"Value")
	}

	w.writeComment(lines...)
	w.printf("type %s struct {\n", name)
	for i := range fields {
		w.writeField(&fields[i])
	}

	if extra != "" {
		w.printf("\t// %s are members with other names.\n\t%s map[string]%s `json:\"-\"`\n", extraField, extraField, extra)
	}

	w.printf("}\n\n")
	w.writeMarshal(name, fields, extra != "")
}

// readFields returns the fields of an object's type.
func (w *goWriter) readFields(name string, s *shape) []goField {
	members := slices.DeleteFunc(slices.Clone(s.members), func(m member) bool { return m.shape.kind == nothing && !m.required })
	texts := make([]string, len(members))
	bases := make([]string, len(members))
	for i, m := range members {
		texts[i] = m.name
		bases[i] = expandInitialisms(m.name)
	}

	names := separateNames(texts, bases, map[string]bool{extraField: true, marshalMethod: true}, func(name string) []string { return []string{name} })
	fields := make([]goField, len(members))
	base := strings.TrimSuffix(name, "Data")
	for i, m := range members {
		fields[i] = goField{w.typeOf(m.shape, base+names[i]), names[i], m, !m.required}
		if f := &fields[i]; f.optional && !f.nilable && !f.unset {
			f.text = "*" + f.text
			f.nilable = true
		}
	}

	return fields
}

// expandInitialisms returns the identifier of a member, with the words that Go writes in capitals.
func expandInitialisms(text string) string {
	words := strings.FieldsFunc(text, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	for i, word := range words {
		switch strings.ToLower(word) {
		case "api", "css", "html", "http", "https", "id", "ip", "json", "sql", "ui", "uri", "url", "uuid":
			words[i] = strings.ToUpper(word)
		}
	}

	return identifierOf(strings.Join(words, " "), "Member")
}

func (w *goWriter) writeField(f *goField) {
	w.writeComment(documentShape(f.member.shape)...)
	if f.note != "" {
		w.writeComment(commentLines(capitalize(f.note) + ".")...)
	}

	if f.member.shape.deprecated {
		if len(documentShape(f.member.shape)) > 0 {
			w.printf("//\n")
		}

		w.writeComment("Deprecated: its schema says so.")
	}

	tag := f.member.name
	switch {
	case !isTag(tag):
		tag = "-"
	case f.optional:
		tag += ",omitzero"
	}

	w.printf("%s %s `json:%q`\n", f.name, f.text, tag)
}

// isTag reports whether encoding/json takes a member's name from a tag.
func isTag(name string) bool {
	odd := func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_-.:/@$", c)
	}
	return name != "" && name != "-" && !strings.ContainsFunc(name, odd)
}

// mustBeSet reports whether the zero value of a field is a missing member that the type of the
// field does not notice.
func (f *goField) mustBeSet() bool { return !f.optional && f.nilable && !f.null }

// writeMarshal writes the method MarshalJSON of a struct, if it needs one: it finds members that
// are missing, and writes those that a tag cannot name.
func (w *goWriter) writeMarshal(name string, fields []goField, hasExtra bool) {
	byHand := hasExtra || slices.ContainsFunc(fields, func(f goField) bool { return !isTag(f.member.name) })
	if !byHand && !slices.ContainsFunc(fields, func(f goField) bool { return f.mustBeSet() }) {
		return
	}

	w.writeComment("MarshalJSON returns an error if a member that is required was not set.")
	w.printf("func (v %s) %s() ([]byte, error) {\n", name, marshalMethod)
	for i := range fields {
		if f := &fields[i]; f.mustBeSet() {
			w.uses["errors"] = true
			w.printf("\tif v.%s == nil {\n\t\treturn nil, errors.New(%q)\n\t}\n\n", f.name, f.name+" is required")
		}
	}

	if !byHand {
		w.printf("\ttype plain %s\n\n\treturn json.Marshal(plain(v))\n}\n\n", name)
		return
	}

	w.printf("\tmembers := map[string]any{}\n")
	if hasExtra {
		w.printf("\tfor name, value := range v.%s {\n\t\tmembers[name] = value\n\t}\n\n", extraField)
	}

	for i := range fields {
		w.writeMember(&fields[i])
	}

	w.printf("\treturn json.Marshal(members)\n}\n\n")
}

// writeMember writes the statement that puts a field into the map of members.
func (w *goWriter) writeMember(f *goField) {
	key := strconv.Quote(f.member.name)
	switch {
	case !f.optional:
		w.printf("\tmembers[%s] = v.%s\n", key, f.name)
	case f.nilable:
		w.printf("\tif v.%s != nil {\n\t\tmembers[%s] = v.%s\n\t}\n\n", f.name, key, f.name)
	default:
		w.printf("\tif v.%s != 0 {\n\t\tmembers[%s] = v.%s\n\t}\n\n", f.name, key, f.name)
	}
}

// writeLiteral writes the type of a literal: constants, so that no other value compiles. Zero is
// none of them.
func (w *goWriter) writeLiteral(name string, s *shape) {
	constants := make([]string, len(s.literals))
	for i, value := range s.literals {
		constants[i] = takeName(name+nameLiteral(value), w.taken)
	}

	w.uses["errors"] = true
	w.writeComment(append(w.describePart(name), documentShape(s)...)...)
	w.writeComment("It is one of the constants below; its zero value is not set.")
	w.printf("type %s int\n\n// The values of %s.\nconst (\n", name, name)
	for i, constant := range constants {
		kind := ""
		if i == 0 {
			kind = " " + name + " = iota + 1"
		}

		w.printf("\t%s%s // %s\n", constant, kind, strings.Join(commentLines(s.literals[i]), " "))
	}

	w.printf(")\n\n// MarshalJSON returns an error for a value that was not set.\nfunc (v %s) %s() ([]byte, error) {\n\tswitch v {\n", name, marshalMethod)
	for i, constant := range constants {
		w.printf("\tcase %s:\n\t\treturn []byte(%q), nil\n", constant, s.literals[i])
	}

	w.printf("\t}\n\n\treturn nil, errors.New(%q)\n}\n\n", name+" is not set")
}

// nameLiteral returns the part of a constant's name that stands for the JSON text of its value.
func nameLiteral(value string) string {
	if kindOf(value) != text {
		return joinWords(strings.NewReplacer("-", " Minus ", ".", " Point ").Replace(value))
	}

	unquoted := value
	if plain, err := strconv.Unquote(value); err == nil {
		unquoted = plain
	}

	if words := joinWords(unquoted); words != "" {
		return words
	}

	return "Other"
}
