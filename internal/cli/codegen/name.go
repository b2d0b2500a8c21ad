package codegen

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// joinWords writes the words of a text, which are its runs of letters and digits, with a
// capital at the beginning of each: "add_to cart" is AddToCart.
func joinWords(text string) string {
	var b strings.Builder
	inWord := false
	for _, c := range text {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			inWord = false
			continue
		case !inWord:
			c = unicode.ToUpper(c)
		}

		b.WriteRune(c)
		inWord = true
	}

	return b.String()
}

// identifierOf returns an identifier for a text, which begins with a capital in every script
// that has some, and otherwise with an X. A text without a letter or digit becomes fallback.
func identifierOf(text, fallback string) string {
	name := joinWords(text)
	if name == "" {
		return fallback
	}

	if first, _ := utf8.DecodeRuneInString(name); !unicode.IsUpper(first) {
		return "X" + name
	}

	return name
}

// separateNames returns a name for each of the texts, made of its base: the base itself, or the
// base and a part of the text's hash where two would be the same. So a name never changes its
// meaning: a text that is added later takes no other text's name. Each name stands for the names
// that derive returns, and none of them is taken.
func separateNames(texts, bases []string, taken map[string]bool, derive func(name string) []string) []string {
	names := append([]string(nil), bases...)
	for digits := 6; digits <= hex.EncodedLen(sha256.Size); digits++ {
		count := map[string]int{}
		for name := range taken {
			count[name]++
		}

		for _, name := range names {
			for _, derived := range derive(name) {
				count[derived]++
			}
		}

		clash := false
		for i, name := range names {
			for _, derived := range derive(name) {
				if count[derived] > 1 {
					hash := sha256.Sum256([]byte(texts[i]))
					names[i] = bases[i] + "_" + hex.EncodeToString(hash[:])[:digits]
					clash = true
				}
			}
		}

		if !clash {
			break
		}
	}

	return names
}

// takeName returns a name that is not taken, which is the given one or that with a number, and
// takes it.
func takeName(name string, taken map[string]bool) string {
	free := name
	for i := 2; taken[free]; i++ {
		free = name + "_" + strconv.Itoa(i)
	}

	taken[free] = true
	return free
}

// lastToken returns the last step of a JSON Pointer.
func lastToken(pointer string) string {
	last := pointer[strings.LastIndexByte(pointer, '/')+1:]
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(last)
}
