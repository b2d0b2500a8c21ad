package eventtype_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// typical is a schema of 15 properties, and typicalData a payload of 400 bytes that fits.
const (
	typical = `{"type": "object", "required": ["form", "page", "at", "user"], "additionalProperties": false, "properties": {
		"form": {"type": "object", "required": ["id", "fields"], "properties": {"id": {"type": "string", "format": "uuid"}, "fields": {"type": "integer", "minimum": 1}, "valid": {"type": "boolean"}}},
		"page": {"type": "string", "maxLength": 200}, "at": {"type": "string", "format": "date-time"}, "user": {"type": "string", "pattern": "^u_[0-9]+$"},
		"kind": {"enum": ["contact", "order", "signup"]}, "email": {"type": "string", "format": "email"}, "amount": {"type": "number", "minimum": 0}, "currency": {"type": "string", "minLength": 3, "maxLength": 3},
		"items": {"type": "array", "maxItems": 50, "items": {"type": "string"}}, "referrer": {"type": ["string", "null"]}, "language": {"type": "string"}, "attempt": {"type": "integer"}}}`
	typicalMarked = `{"type": "object", "required": ["form"], "properties": {"email": {"type": "string", "format": "email", "x-theeye": "hash"}, "user": {"x-theeye": "mask"}, "referrer": {"x-theeye": "drop"}}, "allOf": [` + typical + `]}`
	typicalData   = `{"form": {"id": "e2085be5-9137-4e4e-80b5-f1ffddc25423", "fields": 12, "valid": true}, "page": "/shop/checkout/payment?step=2", "at": "2026-01-01T09:15:27.243860Z",
		"user": "u_1234567", "kind": "order", "email": "jane.doe@example.com", "amount": 129.95, "currency": "EUR", "items": ["sku-1001", "sku-1002", "sku-1003"], "referrer": "https://www.example.com/search", "language": "de-DE", "attempt": 1}`
)

func BenchmarkJudge(b *testing.B) {
	for _, c := range []struct{ name, schema, data string }{
		{"unregistered", "", typicalData},
		{"schema", typical, typicalData},
		{"marks", typicalMarked, typicalData},
		{"violated", typical, `{"form": {"id": 5}, "page": 1, "at": "x", "user": "y", "kind": "z"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := directory(b, eventtype.Accept, formType(c.schema, eventtype.Observe))
			envelopes := sent(b, c.data)
			template := envelopes[0]
			require.NoError(b, d.ValidatePayloads(envelopes, false))
			require.Equal(b, c.name == "violated", len(envelopes[0].Observed) > 0, "%v", envelopes[0].Observed)
			b.ReportAllocs()
			b.SetBytes(int64(len(template.Event.Data)))
			for b.Loop() {
				one := [1]event.Envelope{template}
				if err := d.ValidatePayloads(one[:], false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
