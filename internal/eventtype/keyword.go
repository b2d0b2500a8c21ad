package eventtype

// Draft is a version of JSON Schema.
type Draft string

// The drafts, oldest first. Schemas are judged by Draft2020; others are converted, or taken
// where they mean the same.
const (
	Draft4    Draft = "draft-04"
	Draft6    Draft = "draft-06"
	Draft7    Draft = "draft-07"
	Draft2019 Draft = "2019-09"
	Draft2020 Draft = "2020-12"
)

// ordinal orders drafts.
func (d Draft) ordinal() int {
	for age, known := range []Draft{Draft4, Draft6, Draft7, Draft2019, Draft2020} {
		if d == known {
			return age
		}
	}

	return -1
}

func (d Draft) isBefore(other Draft) bool { return d.ordinal() < other.ordinal() }

// schemaLayout says where in the value of a keyword schemas are.
type schemaLayout uint8

const (
	// noSchema: there are none.
	noSchema schemaLayout = iota
	// oneSchema: the value is one.
	oneSchema
	// manySchemas: it is an array of them.
	manySchemas
	// namedSchemas: it is an object whose members are.
	namedSchemas
	// schemaOrMany: it is one, or an array of them.
	schemaOrMany
)

// keyword is a keyword of JSON Schema.
type keyword struct {
	layout schemaLayout
	// first and last are the drafts that have it; "" is the first, or the newest of all.
	first, last Draft
	// annotates tells that it refuses nothing.
	annotates bool
}

func (k keyword) existsIn(d Draft) bool {
	return (k.first == "" || !d.isBefore(k.first)) && (k.last == "" || !k.last.isBefore(d))
}

// allKeywords are all keywords of all drafts that are known.
func allKeywords() map[string]keyword {
	note := keyword{annotates: true}
	return map[string]keyword{
		"$schema": note, "$comment": note, "$vocabulary": note, "title": note, "description": note, "default": note,
		"examples": note, "deprecated": note, "readOnly": note, "writeOnly": note, "contentEncoding": note, "contentMediaType": note,
		"contentSchema": {annotates: true, layout: oneSchema, first: Draft2019},
		"$defs":         {annotates: true, layout: namedSchemas}, "definitions": {annotates: true, layout: namedSchemas},

		"id": {last: Draft4}, "$id": {first: Draft6}, "$anchor": {first: Draft2019}, "$ref": {},
		"$recursiveRef": {first: Draft2019, last: Draft2019}, "$recursiveAnchor": {first: Draft2019, last: Draft2019},
		"$dynamicRef": {first: Draft2020}, "$dynamicAnchor": {first: Draft2020},

		"type": {}, "enum": {}, "const": {first: Draft6}, "format": {}, "pattern": {}, "minLength": {}, "maxLength": {}, "multipleOf": {},
		"minimum": {}, "maximum": {}, "exclusiveMinimum": {}, "exclusiveMaximum": {}, "required": {}, "minProperties": {}, "maxProperties": {},
		"minItems": {}, "maxItems": {}, "uniqueItems": {}, "minContains": {first: Draft2019}, "maxContains": {first: Draft2019},
		"dependentRequired": {first: Draft2019},

		"allOf": {layout: manySchemas}, "anyOf": {layout: manySchemas}, "oneOf": {layout: manySchemas}, "not": {layout: oneSchema},
		"if": {layout: oneSchema, first: Draft7}, "then": {layout: oneSchema, first: Draft7}, "else": {layout: oneSchema, first: Draft7},
		"properties": {layout: namedSchemas}, "patternProperties": {layout: namedSchemas}, "additionalProperties": {layout: oneSchema},
		"propertyNames": {layout: oneSchema, first: Draft6}, "unevaluatedProperties": {layout: oneSchema, first: Draft2019},
		"dependencies": {layout: namedSchemas, last: Draft7}, "dependentSchemas": {layout: namedSchemas, first: Draft2019},
		"prefixItems": {layout: manySchemas, first: Draft2020}, "items": {layout: schemaOrMany}, "additionalItems": {layout: oneSchema, last: Draft2019},
		"contains": {layout: oneSchema, first: Draft6}, "unevaluatedItems": {layout: oneSchema, first: Draft2019},
	}
}

// draftsByURL are the values of $schema that are known, without the # at the end.
func draftsByURL() map[string]Draft {
	return map[string]Draft{
		"json-schema.org/draft-04/schema": Draft4, "json-schema.org/draft-06/schema": Draft6, "json-schema.org/draft-07/schema": Draft7,
		"json-schema.org/draft/2019-09/schema": Draft2019, "json-schema.org/draft/2020-12/schema": Draft2020,
		// The self-describing schemas of Iglu registries are of draft-04.
		"iglucentral.com/schemas/com.snowplowanalytics.self-desc/schema/jsonschema/1-0-0": Draft4,
	}
}
