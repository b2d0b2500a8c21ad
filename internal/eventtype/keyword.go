package eventtype

// Draft is a version of JSON Schema.
type Draft string

// The drafts, oldest first. Schemas are compiled as Draft2020; schemas of other drafts
// are converted, or accepted if they mean the same.
const (
	Draft4    Draft = "draft-04"
	Draft6    Draft = "draft-06"
	Draft7    Draft = "draft-07"
	Draft2019 Draft = "2019-09"
	Draft2020 Draft = "2020-12"
)

// ordinal returns the position of a draft in the order of their release.
func (d Draft) ordinal() int {
	for age, known := range []Draft{Draft4, Draft6, Draft7, Draft2019, Draft2020} {
		if d == known {
			return age
		}
	}

	return -1
}

func (d Draft) isBefore(other Draft) bool { return d.ordinal() < other.ordinal() }

// schemaLayout is the position of schemas in the value of a keyword.
type schemaLayout uint8

const (
	// noSchema: the value holds no schema.
	noSchema schemaLayout = iota
	// oneSchema: the value is a schema.
	oneSchema
	// manySchemas: the value is an array of schemas.
	manySchemas
	// namedSchemas: the value is an object whose members are schemas.
	namedSchemas
	// schemaOrMany: the value is a schema or an array of schemas.
	schemaOrMany
)

// keyword is a keyword of JSON Schema.
type keyword struct {
	layout schemaLayout
	// first and last are the first and the last draft with the keyword; "" is the
	// oldest or the newest of all drafts.
	first, last Draft
	// annotates means that the keyword never rejects a value.
	annotates bool
}

func (k keyword) existsIn(d Draft) bool {
	return (k.first == "" || !d.isBefore(k.first)) && (k.last == "" || !k.last.isBefore(d))
}

// allKeywords returns the known keywords of all drafts.
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

// draftsByURL returns the known values of $schema, without the # at the end.
func draftsByURL() map[string]Draft {
	return map[string]Draft{
		"json-schema.org/draft-04/schema": Draft4, "json-schema.org/draft-06/schema": Draft6, "json-schema.org/draft-07/schema": Draft7,
		"json-schema.org/draft/2019-09/schema": Draft2019, "json-schema.org/draft/2020-12/schema": Draft2020,
		// The self-describing schemas of Iglu registries are of draft-04.
		"iglucentral.com/schemas/com.snowplowanalytics.self-desc/schema/jsonschema/1-0-0": Draft4,
	}
}
