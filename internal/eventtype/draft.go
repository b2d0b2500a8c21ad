package eventtype

import (
	"fmt"
	"strings"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// ParseDraft parses the name of a draft, plain or as the URL in $schema.
func ParseDraft(text string) (Draft, bool) {
	if d := Draft(text); d.ordinal() >= 0 {
		return d, true
	}

	address := strings.TrimSuffix(text, "#")
	for _, scheme := range []string{"http://", "https://"} {
		address = strings.TrimPrefix(address, scheme)
	}

	d, found := draftsByURL()[address]
	return d, found
}

// draftOf returns the draft that the $schema of a schema names; Draft2020 if there is
// none or it is unknown.
func draftOf(tree any) Draft {
	if root, ok := tree.(orderedObject); ok {
		if text, ok := root.get("$schema").(string); ok {
			if d, known := ParseDraft(text); known {
				return d
			}
		}
	}

	return Draft2020
}

// acceptOlderDraft returns the text of a schema without its $schema, if that names an
// older draft and the schema means the same in 2020-12. If it does not,
// acceptOlderDraft returns a fault that lists each place.
func acceptOlderDraft(text []byte) ([]byte, error) {
	tree, err := readTree(text)
	if err != nil {
		return nil, invalidSchema("", "it is not JSON")
	}

	root, isObject := tree.(orderedObject)
	if !isObject {
		return text, nil // CompileSchema rejects it
	}

	if name, ok := root.get("$schema").(string); ok {
		if _, known := ParseDraft(name); !known {
			return nil, invalidSchema("/$schema", unknownDraft)
		}
	}

	draft := draftOf(root)
	if draft == Draft2020 {
		return text, nil
	}

	known := allKeywords()
	all := schemasOf(root, known)
	if wrong := listDifferences(all, draft, known); len(wrong) > 0 {
		return nil, &fault.Error{
			Kind:       fault.Invalid,
			Code:       fault.CodeInvalidSchema,
			Violations: wrong,
			Detail: fmt.Sprintf("it is of %s, and would mean something else in 2020-12; "+
				"theeye event-type convert --from %s FILE converts it, or theeye event-type apply --from %s", draft, draft, draft),
		}
	}

	return withoutDrafts(root, all)
}

// withoutDrafts renders a schema without the $schema of each of its schemas.
func withoutDrafts(root orderedObject, all []locatedSchema) ([]byte, error) {
	isSchema := map[string]bool{}
	for _, p := range all {
		isSchema[p.at] = true
	}

	text, err := stripDrafts(root, "", isSchema).MarshalJSON()
	if err != nil {
		return nil, invalidSchema("", "it is not JSON")
	}

	return text, nil
}

func stripDrafts(value orderedObject, path string, isSchema map[string]bool) orderedObject {
	kept := orderedObject{}
	for _, p := range value {
		if p.name != "$schema" || !isSchema[path] {
			kept = append(kept, objectMember{p.name, stripDraftsIn(p.value, path+formatPointer([]string{p.name}), isSchema)})
		}
	}

	return kept
}

func stripDraftsIn(value any, path string, isSchema map[string]bool) any {
	switch v := value.(type) {
	case orderedObject:
		return stripDrafts(v, path, isSchema)
	case []any:
		items := make([]any, len(v))
		for i, inner := range v {
			items[i] = stripDraftsIn(inner, fmt.Sprintf("%s/%d", path, i), isSchema)
		}

		return items
	}

	return value
}

// listDifferences lists the places where schemas of a draft have another meaning in
// 2020-12.
func listDifferences(all []locatedSchema, draft Draft, known map[string]keyword) (wrong []fault.Violation) {
	for _, p := range all {
		for _, member := range p.schema {
			if reason := describeDifference(p, member, draft, known); reason != "" {
				at := "/schema" + p.at + formatPointer([]string{member.name})
				wrong = append(wrong, fault.Violation{
					Pointer: at, Code: fault.CodeInvalidSchema,
					Detail: fmt.Sprintf("%s; convert it: theeye event-type convert --from %s", reason, draft),
				})
			}
		}
	}

	return wrong
}

// describeDifference returns the reason why a member of a schema has another meaning in
// 2020-12; "" if it means the same.
func describeDifference(p locatedSchema, member objectMember, draft Draft, known map[string]keyword) string {
	of, found := known[member.name]
	_, isList := member.value.([]any)
	_, isBool := member.value.(bool)
	switch {
	case !found || of.annotates && member.name != "$schema":
		return ""
	case draft.isBefore(Draft2019) && p.schema.has("$ref") && member.name != "$ref" && member.name != "$schema":
		return fmt.Sprintf("beside $ref it does nothing in %s, and holds in 2020-12", draft)
	}

	switch member.name {
	case "$schema":
		if other, ok := ParseDraft(fmt.Sprint(member.value)); !ok || other != draft {
			return "a schema of another draft stands inside"
		}

		return ""
	case "items":
		if isList {
			return "an array of items is prefixItems in 2020-12"
		}
	case "additionalItems":
		if _, tuple := p.schema.get("items").([]any); tuple {
			return "it is items in 2020-12, beside prefixItems"
		}

		return ""
	case "exclusiveMinimum", "exclusiveMaximum":
		if draft == Draft4 && !isBool {
			return "it is true or false in draft-04"
		} else if isBool {
			return "it is a number in 2020-12"
		}
	case "id":
		if draft == Draft4 && p.at == "" {
			return ""
		}
	case "$id":
		if text, _ := member.value.(string); draft.isBefore(Draft2019) && strings.Contains(strings.TrimSuffix(text, "#"), "#") {
			return "a name for $ref is $anchor in 2020-12"
		}
	case "contains":
		if draft == Draft2019 && p.schema.has("unevaluatedItems") {
			return "in 2019-09 the items that it finds are unevaluated, and in 2020-12 they are not; this cannot be converted"
		}
	}

	switch {
	case of.existsIn(draft) && !of.existsIn(Draft2020):
		return fmt.Sprintf("it does nothing in 2020-12, which has %s", insteadOf(member.name))
	case !of.existsIn(draft) && of.existsIn(Draft2020):
		return fmt.Sprintf("it does nothing in %s, and holds in 2020-12", draft)
	}

	return ""
}
