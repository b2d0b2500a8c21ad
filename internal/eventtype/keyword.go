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

// age orders drafts.
func (d Draft) age() int {
	for age, known := range []Draft{Draft4, Draft6, Draft7, Draft2019, Draft2020} {
		if d == known {
			return age
		}
	}
	return -1
}

func (d Draft) before(other Draft) bool { return d.age() < other.age() }

// holding says where in the value of a keyword schemas are.
type holding uint8

const (
	// noSchema: there are none.
	noSchema holding = iota
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
	holds holding
	// first and last are the drafts that have it; "" is the first, or the newest of all.
	first, last Draft
	// annotates tells that it refuses nothing.
	annotates bool
}

func (k keyword) in(d Draft) bool {
	return (k.first == "" || !d.before(k.first)) && (k.last == "" || !k.last.before(d))
}

// keywords are all keywords of all drafts that are known.
func keywords() map[string]keyword {
	note := keyword{annotates: true}
	return map[string]keyword{
		"$schema": note, "$comment": note, "$vocabulary": note, "title": note, "description": note, "default": note,
		"examples": note, "deprecated": note, "readOnly": note, "writeOnly": note, "contentEncoding": note, "contentMediaType": note,
		"contentSchema": {annotates: true, holds: oneSchema, first: Draft2019},
		"$defs":         {annotates: true, holds: namedSchemas}, "definitions": {annotates: true, holds: namedSchemas},

		"id": {last: Draft4}, "$id": {first: Draft6}, "$anchor": {first: Draft2019}, "$ref": {},
		"$recursiveRef": {first: Draft2019, last: Draft2019}, "$recursiveAnchor": {first: Draft2019, last: Draft2019},
		"$dynamicRef": {first: Draft2020}, "$dynamicAnchor": {first: Draft2020},

		"type": {}, "enum": {}, "const": {first: Draft6}, "format": {}, "pattern": {}, "minLength": {}, "maxLength": {}, "multipleOf": {},
		"minimum": {}, "maximum": {}, "exclusiveMinimum": {}, "exclusiveMaximum": {}, "required": {}, "minProperties": {}, "maxProperties": {},
		"minItems": {}, "maxItems": {}, "uniqueItems": {}, "minContains": {first: Draft2019}, "maxContains": {first: Draft2019},
		"dependentRequired": {first: Draft2019},

		"allOf": {holds: manySchemas}, "anyOf": {holds: manySchemas}, "oneOf": {holds: manySchemas}, "not": {holds: oneSchema},
		"if": {holds: oneSchema, first: Draft7}, "then": {holds: oneSchema, first: Draft7}, "else": {holds: oneSchema, first: Draft7},
		"properties": {holds: namedSchemas}, "patternProperties": {holds: namedSchemas}, "additionalProperties": {holds: oneSchema},
		"propertyNames": {holds: oneSchema, first: Draft6}, "unevaluatedProperties": {holds: oneSchema, first: Draft2019},
		"dependencies": {holds: namedSchemas, last: Draft7}, "dependentSchemas": {holds: namedSchemas, first: Draft2019},
		"prefixItems": {holds: manySchemas, first: Draft2020}, "items": {holds: schemaOrMany}, "additionalItems": {holds: oneSchema, last: Draft2019},
		"contains": {holds: oneSchema, first: Draft6}, "unevaluatedItems": {holds: oneSchema, first: Draft2019},
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
