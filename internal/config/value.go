package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Bytes of the larger units.
const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
	gibibyte = 1 << 30
)

// value is one field of a Config, set from text and shown as text.
type value interface {
	// setFromText sets the field. Its error describes a valid value and never contains
	// text, which may be secret.
	setFromText(text string) error
	// displayText returns the text of the field without secrets.
	displayText() string
	// typeName names the form of the text, in a word or two.
	typeName() string
}

// number is a field with inclusive bounds.
type number[T int | time.Duration] struct {
	into      *T
	low, high T
	// allowZero makes 0 valid even below low.
	allowZero bool
	name      string
	read      func(string) (T, error)
	write     func(T) string
}

func (n number[T]) setFromText(text string) error {
	v, err := n.read(text)
	switch {
	case err != nil:
		return err
	case n.allowZero && v == 0:
	case v < n.low && n.allowZero:
		return fmt.Errorf("give 0 (off) or at least %s", n.write(n.low))
	case v < n.low:
		return fmt.Errorf("give at least %s", n.write(n.low))
	case v > n.high:
		return fmt.Errorf("give at most %s", n.write(n.high))
	}

	*n.into = v
	return nil
}

func (n number[T]) displayText() string { return n.write(*n.into) }
func (n number[T]) typeName() string    { return n.name }

func countValue(into *int, low, high int) value {
	return number[int]{
		into:  into,
		low:   low,
		high:  high,
		name:  "number",
		read:  readCount,
		write: strconv.Itoa,
	}
}

// countOrOff returns a number that 0 turns off.
func countOrOff(into *int) value {
	return number[int]{
		into:      into,
		low:       1,
		high:      math.MaxInt32,
		allowZero: true,
		name:      "number",
		read:      readCount,
		write:     strconv.Itoa,
	}
}

func sizeValue(into *int, low, high int) value {
	return number[int]{
		into:  into,
		low:   low,
		high:  high,
		name:  "size",
		read:  readSize,
		write: writeSize,
	}
}

// sizeOrOff returns a size that 0 turns off.
func sizeOrOff(into *int, low int) value {
	return number[int]{
		into:      into,
		low:       low,
		high:      math.MaxInt,
		allowZero: true,
		name:      "size",
		read:      readSize,
		write:     writeSize,
	}
}

func durationValue(into *time.Duration, low, high time.Duration) value {
	return number[time.Duration]{
		into:  into,
		low:   low,
		high:  high,
		name:  "duration",
		read:  readDuration,
		write: writeDuration,
	}
}

// durationOrOff returns a duration that 0 turns off.
func durationOrOff(into *time.Duration, low time.Duration) value {
	return number[time.Duration]{
		into:      into,
		low:       low,
		high:      math.MaxInt64,
		allowZero: true,
		name:      "duration",
		read:      readDuration,
		write:     writeDuration,
	}
}

func readCount(text string) (int, error) {
	v, err := strconv.Atoi(text)
	if err != nil {
		return 0, errors.New("give a whole number such as 1000")
	}

	return v, nil
}

// readSize reads bytes: a whole number with or without KiB, MiB or GiB.
func readSize(text string) (int, error) {
	digits := text
	unit := 1
	for _, u := range []struct {
		suffix string
		bytes  int
	}{{"KiB", kibibyte}, {"MiB", mebibyte}, {"GiB", gibibyte}} {
		if rest, found := strings.CutSuffix(text, u.suffix); found {
			digits = strings.TrimRight(rest, " ")
			unit = u.bytes
			break
		}
	}

	v, err := strconv.Atoi(digits)
	if err != nil || v > math.MaxInt/unit || v < math.MinInt/unit {
		return 0, errors.New("give a whole number of bytes, KiB, MiB or GiB such as 64KiB")
	}

	return v * unit, nil
}

func writeSize(v int) string {
	switch {
	case v != 0 && v%gibibyte == 0:
		return strconv.Itoa(v/gibibyte) + "GiB"
	case v != 0 && v%mebibyte == 0:
		return strconv.Itoa(v/mebibyte) + "MiB"
	case v != 0 && v%kibibyte == 0:
		return strconv.Itoa(v/kibibyte) + "KiB"
	}

	return strconv.Itoa(v)
}

// readDuration reads a Go duration, optionally after a number of days: 5s, 1h30m, 365d,
// 1d12h. A day has 24 hours.
func readDuration(text string) (time.Duration, error) {
	wrong := errors.New("give a duration such as 250ms, 5s, 1h30m or 365d")
	var days int64
	if before, after, found := strings.Cut(text, "d"); found {
		var err error
		if days, err = strconv.ParseInt(before, 10, 64); err != nil || days < 0 || days > math.MaxInt64/int64(day) {
			return 0, wrong
		}

		if text = after; text == "" {
			return time.Duration(days) * day, nil
		}
	}

	rest, err := time.ParseDuration(text)
	total := time.Duration(days)*day + rest
	if err != nil || rest < 0 || total < 0 {
		return 0, wrong
	}

	return total, nil
}

// writeDuration leaves out the zero units that time.Duration writes.
func writeDuration(v time.Duration) string {
	text := v.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}

	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}

	return text
}

// choice is a field whose value is one of a few words.
type choice[T ~string] struct {
	into  *T
	words []T
}

func oneOf[T ~string](into *T, words ...T) value { return choice[T]{into, words} }

func (c choice[T]) setFromText(text string) error {
	if !slices.Contains(c.words, T(text)) {
		return fmt.Errorf("give one of %s", c.joinWords(", "))
	}

	*c.into = T(text)
	return nil
}

func (c choice[T]) displayText() string { return string(*c.into) }
func (c choice[T]) typeName() string    { return c.joinWords("|") }

func (c choice[T]) joinWords(separator string) string {
	texts := make([]string, len(c.words))
	for i, word := range c.words {
		texts[i] = string(word)
	}

	return strings.Join(texts, separator)
}

// address is a field for an address to listen on.
type address struct{ into *string }

func (a address) setFromText(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}

	if err != nil {
		return errors.New("give host:port such as 127.0.0.1:8080, or :8080 for all interfaces")
	}

	*a.into = text
	return nil
}

func (a address) displayText() string { return *a.into }
func (a address) typeName() string    { return "host:port" }

// connection is the field for a Postgres connection string. Only the driver knows
// whether the string can be used; the check here catches swapped and truncated values.
type connection struct{ into *Secret }

func (c connection) setFromText(text string) error {
	if _, _, isURL := cutScheme(text); !isURL && text != "" && !strings.Contains(text, "=") {
		return errors.New("give a URL that begins with postgres:// or keywords such as host=localhost dbname=theeye")
	}

	*c.into = Secret(text)
	return nil
}

func (c connection) displayText() string { return redactDSN(*c.into) }
func (c connection) typeName() string    { return "connection string" }

// eventTypes is a list of category:name.
type eventTypes struct{ into *[]EventType }

func (t eventTypes) setFromText(text string) error {
	const most = 1000
	var list []EventType
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}

		category, name, found := strings.Cut(entry, ":")
		if !found || category == "" || name == "" {
			return errors.New("give category:name, with commas between several")
		}

		list = append(list, EventType{Category: category, Name: name})
	}

	if len(list) > most {
		return fmt.Errorf("give at most %d event types", most)
	}

	*t.into = list
	return nil
}

func (t eventTypes) displayText() string {
	list := make([]string, len(*t.into))
	for i, one := range *t.into {
		list[i] = one.Category + ":" + one.Name
	}

	return strings.Join(list, ",")
}

func (t eventTypes) typeName() string { return "category:name list" }
