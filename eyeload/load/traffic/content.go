package traffic

import (
	"strconv"

	"github.com/the-eye-events/the-eye/internal/event"
)

// makeContent makes the content of an event, with types in the shares that a shop sees: many
// page views, clicks and scrolls, some forms, a few purchases.
func makeContent(d *randomSource, scratch []byte) event.Event {
	const view, click, scroll, form = 40, 70, 85, 95 // per cent, cumulative

	switch n := d.drawInt(100); {
	case n < view:
		return event.Event{Category: "page interaction", Name: "pageview", Data: pageviewPayload(d, scratch)}
	case n < click:
		return event.Event{Category: "page interaction", Name: "cta click", Data: clickPayload(d, scratch)}
	case n < scroll:
		return event.Event{Category: "page interaction", Name: "scroll", Data: scrollPayload(d, scratch)}
	case n < form:
		return event.Event{Category: "form interaction", Name: "submit", Data: formPayload(d, scratch)}
	default:
		return event.Event{Category: "commerce", Name: "purchase", Data: purchasePayload(d, scratch)}
	}
}

func samplePaths() []string {
	return []string{"/", "/about-us", "/products", "/products/süße-äpfel", "/basket", "/checkout", "/blog/the-eye", "/hilfe/rücksendung", "/кошик", "/製品/椅子"}
}

func sampleWords() []string {
	return []string{"apple", "Äpfel", "chair", "стіл", "椅子", "café", "lamp", "naïve", "🙂", "smörgås", "desk", "ruler", "Straße", "pencil", "कुर्सी", "כיסא"}
}

func sampleAgents() []string {
	return []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
	}
}

func drawString(d *randomSource, all []string) string { return all[d.drawInt(len(all))] }

func appendNumber(b []byte, name string, n int) []byte {
	return strconv.AppendInt(append(append(append(b, ',', '"'), name...), '"', ':'), int64(n), 10)
}

func appendText(b []byte, name, value string) []byte {
	return appendString(append(append(append(b, ',', '"'), name...), '"', ':'), value)
}

// beginPayload begins a payload with the members that all have.
func beginPayload(d *randomSource, b []byte) []byte {
	b = append(b, `{"host":"www.example.com"`...)
	return appendText(b, "path", drawString(d, samplePaths()))
}

func pageviewPayload(d *randomSource, b []byte) []byte {
	b = beginPayload(d, b)
	if d.drawInt(2) == 0 {
		b = appendText(b, "referrer", "https://search.example.com/?q="+drawString(d, sampleWords()))
	}

	b = appendText(b, "agent", drawString(d, sampleAgents()))
	const widest, first = 2560, 320
	b = appendNumber(append(b, `,"screen":{"scale":1.5`...), "width", first+d.drawInt(widest-first))

	return append(b, '}', '}')
}

func clickPayload(d *randomSource, b []byte) []byte {
	const width, height = 1920, 1080
	b = appendText(beginPayload(d, b), "element", "button."+drawString(d, sampleWords()))
	b = appendNumber(appendNumber(b, "x", d.drawInt(width)), "y", d.drawInt(height))

	return append(b, '}')
}

func scrollPayload(d *randomSource, b []byte) []byte {
	const whole, slow = 101, 30000
	b = appendNumber(beginPayload(d, b), "depth", d.drawInt(whole))
	return append(appendNumber(b, "after_ms", d.drawInt(slow)), '}')
}

func formPayload(d *randomSource, b []byte) []byte {
	b = append(beginPayload(d, b), `,"form":{"first_name":"Ада","newsletter":true,"phone":null`...)
	b = appendText(b, "last_name", drawString(d, sampleWords()))
	b = append(b, `,"message":"`...)
	for range 3 + d.drawInt(140) {
		b = append(append(b, drawString(d, sampleWords())...), ' ')
	}

	return append(b, `"}}`...)
}

func purchasePayload(d *randomSource, b []byte) []byte {
	const dearest, many = 100000, 9

	b = appendNumber(beginPayload(d, b), "order", d.drawInt(1<<30))
	b = append(b, `,"currency":"EUR","items":[`...)
	for i := range 1 + d.drawInt(many) {
		if i > 0 {
			b = append(b, ',')
		}

		b = append(b, `{"gift":false`...)
		b = appendText(b, "title", drawString(d, sampleWords())+" "+drawString(d, sampleWords()))
		b = appendNumber(b, "quantity", 1+d.drawInt(many))
		cents := d.drawInt(dearest)
		b = append(b, `,"price":`...)
		b = strconv.AppendFloat(b, float64(cents)/100, 'f', 2, 64)
		b = append(b, '}')
	}

	return append(b, "]}"...)
}
