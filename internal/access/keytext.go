package access

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// A key's text is `eye_<id>_<secret><checksum>`, that of a public key begins with `eyp_`.
// Secret scanners find the prefix, a double click selects the whole text, and the checksum
// exposes mistyped and made-up keys without a look-up. 32 characters of base62 are 190 bits,
// too many to guess, so a fast hash is safe. It covers the prefix: no key becomes one of the
// other kind.
const (
	keyPrefix       = "eye_"
	publicKeyPrefix = "eyp_"

	keyIDLength    = 12
	secretLength   = 32
	checksumLength = 6
	keyIDEnd       = len(keyPrefix) + keyIDLength
	checksumStart  = keyIDEnd + 1 + secretLength
	keyLength      = checksumStart + checksumLength
	base62Digits   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base62         = uint32(len(base62Digits))
	// fairBytes is the largest multiple of 62 that a byte can count to: bytes from
	// there on would make the first digits likelier than the others.
	fairBytes = 256 / len(base62Digits) * len(base62Digits)
)

// NewKey makes a key from a source of randomness: its text, its id, which may appear in logs,
// and the hash to store. It fails only when the source does.
func NewKey(rand io.Reader, public bool) (text, id string, hash [32]byte, err error) {
	key := make([]byte, 0, keyLength)
	if public {
		key = append(key, publicKeyPrefix...)
	} else {
		key = append(key, keyPrefix...)
	}

	if key, err = appendRandom(key, rand, keyIDLength); err != nil {
		return "", "", hash, err
	}

	key = append(key, '_')
	if key, err = appendRandom(key, rand, secretLength); err != nil {
		return "", "", hash, err
	}

	sum := keyChecksum(key)
	key = append(key, sum[:]...)
	return string(key), string(key[len(keyPrefix):keyIDEnd]), sha256.Sum256(key), nil
}

// IsPublicKey reports whether a text begins like that of a public key.
func IsPublicKey(text string) bool { return strings.HasPrefix(text, publicKeyPrefix) }

// ParseKey reads a key's text and returns its id and the hash of the whole text. It is not
// ok when the text is not written like a key or its checksum does not match.
func ParseKey(text string) (id string, hash [32]byte, ok bool) {
	if len(text) != keyLength || text[keyIDEnd] != '_' {
		return "", hash, false
	}

	if !strings.HasPrefix(text, keyPrefix) && !IsPublicKey(text) {
		return "", hash, false
	}

	if !isBase62(text[len(keyPrefix):keyIDEnd]) || !isBase62(text[keyIDEnd+1:]) {
		return "", hash, false
	}

	key := []byte(text)
	if sum := keyChecksum(key[:checksumStart]); string(sum[:]) != text[checksumStart:] {
		return "", hash, false
	}

	return text[len(keyPrefix):keyIDEnd], sha256.Sum256(key), true
}

// appendRandom appends n digits, each as likely as any other.
func appendRandom(key []byte, rand io.Reader, n int) ([]byte, error) {
	var drawn [secretLength]byte
	for n > 0 {
		if _, err := io.ReadFull(rand, drawn[:n]); err != nil {
			return nil, fmt.Errorf("generate a key: %w", err)
		}

		for _, b := range drawn[:n] {
			if int(b) < fairBytes {
				key = append(key, base62Digits[uint32(b)%base62])
				n--
			}
		}
	}

	return key, nil
}

// keyChecksum returns the CRC-32 of the text before the checksum, in base62. Any change
// of one character changes it.
func keyChecksum(key []byte) (digits [checksumLength]byte) {
	sum := crc32.ChecksumIEEE(key)
	for i := checksumLength - 1; i >= 0; i-- {
		digits[i] = base62Digits[sum%base62]
		sum /= base62
	}

	return digits
}

func isBase62(text string) bool {
	for i := range len(text) {
		if c := text[i]; !isDigit(c) && !isLetter(c) {
			return false
		}
	}

	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }
