package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Digest identifies the content of an event: two events with equal digests have the same
// content, whatever the order of members and the notation of numbers (1e2 and 100.0 are equal,
// as in Postgres' jsonb). The ID is not part of it.
type Digest [sha256.Size]byte

// Digest computes the digest of an event that the decoder accepted.
func (e *Event) Digest() Digest {
	var b bytes.Buffer
	b.Write(e.SessionID[:])
	b.WriteString(strconv.FormatInt(e.Timestamp.UnixMicro(), 10))
	for _, text := range []string{e.Category, e.Name} {
		b.WriteByte(0) // no name holds a NUL, so two pairs of names cannot be confused
		b.WriteString(text)
	}

	b.WriteByte(0)
	b.Write(Canonicalize(e.Data))
	return sha256.Sum256(b.Bytes())
}

// Canonicalize renders valid JSON with sorted members and numbers in one notation, so that equal
// documents have equal bytes. Text that is not JSON is returned unchanged.
func Canonicalize(text []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var document any
	if decoder.Decode(&document) != nil {
		return text
	}

	return appendCanonical(nil, document)
}

func appendCanonical(b []byte, value any) []byte {
	switch v := value.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}

		slices.Sort(names)
		b = append(b, '{')
		for _, name := range names {
			b = strconv.AppendQuote(b, name)
			b = append(b, ':')
			b = appendCanonical(b, v[name])
			b = append(b, ',')
		}

		return append(b, '}')
	case []any:
		b = append(b, '[')
		for _, element := range v {
			b = appendCanonical(b, element)
			b = append(b, ',')
		}

		return append(b, ']')
	case json.Number:
		return append(b, canonicalNumber(string(v))...)
	case string:
		return strconv.AppendQuote(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	default:
		return append(b, "null"...)
	}
}

// canonicalNumber writes a JSON number as its significant digits and a power of ten: 12.50,
// 1250e-2 and 1.25E1 all become 125e-1.
func canonicalNumber(text string) string {
	text, negative := strings.CutPrefix(text, "-")
	mantissa, exponentText, _ := strings.Cut(strings.ToLower(text), "e")
	exponent, _ := strconv.Atoi(exponentText) // none, or bounded by the decoder
	whole, frac, _ := strings.Cut(mantissa, ".")
	exponent -= len(frac)
	digits := strings.TrimLeft(whole+frac, "0")
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	if trimmed == "" {
		return "0"
	}

	if negative {
		trimmed = "-" + trimmed
	}

	return trimmed + "e" + strconv.Itoa(exponent)
}

// ETag returns a strong entity tag (RFC 9110) of this version of a stored event.
func (e *Stored) ETag() string {
	b := bytes.Join([][]byte{
		e.ID[:], e.SessionID[:], []byte(e.Category), []byte(e.Name), e.Data,
		[]byte(FormatTimestamp(e.Timestamp)), []byte(FormatTimestamp(e.ReceivedAt)),
		strconv.AppendInt(nil, e.Sequence, 10), []byte(e.Application),
	}, []byte{0})
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}
