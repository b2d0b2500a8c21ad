package traffic

import (
	"strconv"

	"github.com/the-eye-events/the-eye/internal/event"
)

// pick makes the content of an event, of the types and in the shares that a shop
// sees: many page views, clicks and scrolls, some forms, a few purchases.
func pick(d *dice, scratch []byte) event.Event {
	const view, click, scroll, form = 40, 70, 85, 95 // per cent, summed up
	switch n := d.below(100); {
	case n < view:
		return event.Event{Category: "page interaction", Name: "pageview", Data: pageview(d, scratch)}
	case n < click:
		return event.Event{Category: "page interaction", Name: "cta click", Data: ctaClick(d, scratch)}
	case n < scroll:
		return event.Event{Category: "page interaction", Name: "scroll", Data: scrolled(d, scratch)}
	case n < form:
		return event.Event{Category: "form interaction", Name: "submit", Data: submit(d, scratch)}
	default:
		return event.Event{Category: "commerce", Name: "purchase", Data: purchase(d, scratch)}
	}
}

func paths() []string {
	return []string{"/", "/about-us", "/products", "/products/süße-äpfel", "/basket", "/checkout", "/blog/the-eye", "/hilfe/rücksendung", "/кошик", "/製品/椅子"}
}

func words() []string {
	return []string{"apple", "Äpfel", "chair", "стіл", "椅子", "café", "lamp", "naïve", "🙂", "smörgås", "desk", "ruler", "Straße", "pencil", "कुर्सी", "כיסא"}
}

func agents() []string {
	return []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
	}
}

func of(d *dice, all []string) string { return all[d.below(len(all))] }

func number(b []byte, name string, n int) []byte {
	return strconv.AppendInt(append(append(append(b, ',', '"'), name...), '"', ':'), int64(n), 10)
}

func text(b []byte, name, value string) []byte {
	return appendString(append(append(append(b, ',', '"'), name...), '"', ':'), value)
}

// open begins a payload with what all have in common.
func open(d *dice, b []byte) []byte {
	b = append(b, `{"host":"www.example.com"`...)
	return text(b, "path", of(d, paths()))
}

func pageview(d *dice, b []byte) []byte {
	b = open(d, b)
	if d.below(2) == 0 {
		b = text(b, "referrer", "https://search.example.com/?q="+of(d, words()))
	}
	b = text(b, "agent", of(d, agents()))
	const widest, first = 2560, 320
	b = number(append(b, `,"screen":{"scale":1.5`...), "width", first+d.below(widest-first))
	return append(b, '}', '}')
}

func ctaClick(d *dice, b []byte) []byte {
	const width, height = 1920, 1080
	b = text(open(d, b), "element", "button."+of(d, words()))
	b = number(number(b, "x", d.below(width)), "y", d.below(height))
	return append(b, '}')
}

func scrolled(d *dice, b []byte) []byte {
	const whole, slow = 101, 30000
	b = number(open(d, b), "depth", d.below(whole))
	return append(number(b, "after_ms", d.below(slow)), '}')
}

func submit(d *dice, b []byte) []byte {
	b = append(open(d, b), `,"form":{"first_name":"Ада","newsletter":true,"phone":null`...)
	b = text(b, "last_name", of(d, words()))
	b = append(b, `,"message":"`...)
	for range 3 + d.below(140) {
		b = append(append(b, of(d, words())...), ' ')
	}
	return append(b, `"}}`...)
}

func purchase(d *dice, b []byte) []byte {
	const dearest, many = 100000, 9
	b = number(open(d, b), "order", d.below(1<<30))
	b = append(b, `,"currency":"EUR","items":[`...)
	for i := range 1 + d.below(many) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"gift":false`...)
		b = text(b, "title", of(d, words())+" "+of(d, words()))
		b = number(b, "quantity", 1+d.below(many))
		cents := d.below(dearest)
		b = append(b, `,"price":`...)
		b = strconv.AppendFloat(b, float64(cents)/100, 'f', 2, 64)
		b = append(b, '}')
	}
	return append(b, "]}"...)
}
