package access_test

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// A key that was made once. It must be read for as long as The Eye exists.
const (
	oldKey = "eye_6fh20DrwCsyF_hRdaWk6NOCae0XXD0NlSjuru4BmSNamJ2OHP5R"
	oldID  = "6fh20DrwCsyF"
)

// chaos is a source of randomness that is the same in every run.
func chaos() *mathrand.ChaCha8 { return chaosOf("eye") }

func chaosOf(seed string) *mathrand.ChaCha8 { return mathrand.NewChaCha8(sha256.Sum256([]byte(seed))) }

func TestKeyRoundTrip(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^eye_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}$`)
	seen := map[string]bool{}
	for range 2000 {
		text, id, hash, err := access.NewKey(rand.Reader, false)
		require.NoError(t, err)
		require.Regexp(t, shape, text)
		require.Equal(t, sha256.Sum256([]byte(text)), hash)
		require.False(t, seen[text] || seen[id], "made twice")
		seen[text], seen[id] = true, true

		readID, readHash, ok := access.ParseKey(text)
		require.True(t, ok)
		require.Equal(t, id, readID)
		require.Equal(t, id, text[4:16])
		require.Equal(t, hash, readHash)
	}
}

// A secret key whose beginning and checksum were replaced is not the public key of the same secret.
func TestTheKindOfAKeyIsPartOfWhatIsHashed(t *testing.T) {
	t.Parallel()
	secret, _, secretHash, err := access.NewKey(chaos(), false)
	require.NoError(t, err)
	public, _, publicHash, err := access.NewKey(chaos(), true)
	require.NoError(t, err)
	require.Equal(t, secret[4:49], public[4:49], "the same id and the same secret")
	require.NotEqual(t, secretHash, publicHash)
	require.NotEqual(t, secret[49:], public[49:])
	for text, want := range map[string][32]byte{secret: secretHash, public: publicHash} {
		_, hash, ok := access.ParseKey(text)
		require.True(t, ok)
		require.Equal(t, want, hash)
	}

	require.True(t, access.IsPublicKey(public))
	require.False(t, access.IsPublicKey(secret))
}

func TestOldKeyIsStillRead(t *testing.T) {
	t.Parallel()
	id, hash, ok := access.ParseKey(oldKey)
	require.True(t, ok)
	require.Equal(t, oldID, id)
	require.Equal(t, sha256.Sum256([]byte(oldKey)), hash)
}

func TestEveryChangeOfOneCharacterIsRefused(t *testing.T) {
	t.Parallel()
	source := chaos()
	for range 20 {
		text, _, _, err := access.NewKey(source, false)
		require.NoError(t, err)
		changed := []byte(text)
		for at := range changed {
			for c := range 256 {
				if byte(c) == text[at] {
					continue
				}

				changed[at] = byte(c)
				_, _, ok := access.ParseKey(string(changed))
				require.False(t, ok, "%q", changed)
			}

			changed[at] = text[at]
		}
	}
}

func TestMistypedKeysAreRefused(t *testing.T) {
	t.Parallel()
	source := chaos()
	for range 200 {
		text, _, _, err := access.NewKey(source, false)
		require.NoError(t, err)
		for at := range len(text) {
			_, _, ok := access.ParseKey(text[:at] + text[at+1:])
			require.False(t, ok, "a character is missing")
			_, _, ok = access.ParseKey(text[:at] + text[at:at+1] + text[at:])
			require.False(t, ok, "a character is doubled")
			if at > 0 && text[at] != text[at-1] {
				_, _, ok = access.ParseKey(text[:at-1] + text[at:at+1] + text[at-1:at] + text[at+1:])
				require.False(t, ok, "two characters changed places")
			}
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":           "",
		"prefix":            "eye_",
		"white space":       oldKey + " ",
		"line end":          oldKey + "\n",
		"upper case prefix": "EYE_" + oldKey[4:],
		"another prefix":    "ghp_" + oldKey[4:],
		"all zeros":         "eye_" + strings.Repeat("0", 12) + "_" + strings.Repeat("0", 38),
		"very long":         oldKey + strings.Repeat("a", 1<<20),
		"not ASCII":         "eye_" + strings.Repeat("é", 6) + oldKey[16:],
	} {
		_, _, ok := access.ParseKey(text)
		require.False(t, ok, name)
	}
}

func TestKeysAreUnbiased(t *testing.T) {
	t.Parallel()
	const keys = 5000
	const drawn = keys * 44 // the id and the secret
	source := chaos()
	counts := map[byte]int{}
	for range keys {
		text, _, _, err := access.NewKey(source, false)
		require.NoError(t, err)
		for _, c := range []byte(text[4:16] + text[17:49]) {
			counts[c]++
		}
	}

	require.Len(t, counts, len(alphabet))
	expected := float64(drawn) / float64(len(alphabet))
	chi := 0.0
	for _, n := range counts {
		chi += (float64(n) - expected) * (float64(n) - expected) / expected
	}

	// 61 degrees of freedom: above 120 once in 100,000 runs. Taking a byte modulo 62
	// would give about 1,700.
	require.Less(t, chi, 120.0)
}

func TestNewKeySaysThatItsSourceFailed(t *testing.T) {
	t.Parallel()
	broken := errors.New("no entropy")
	for _, source := range []io.Reader{
		iotest.ErrReader(broken),
		io.MultiReader(io.LimitReader(chaos(), 20), iotest.ErrReader(broken)),
	} {
		text, _, _, err := access.NewKey(source, false)
		require.ErrorIs(t, err, broken)
		require.Empty(t, text)
	}

	_, _, _, err := access.NewKey(io.LimitReader(chaos(), 20), false)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestNewKeyReadsShortReads(t *testing.T) {
	t.Parallel()
	text, _, _, err := access.NewKey(iotest.OneByteReader(chaos()), false)
	require.NoError(t, err)
	_, _, ok := access.ParseKey(text)
	require.True(t, ok)
}

func FuzzParseKey(f *testing.F) {
	f.Add(oldKey)
	f.Fuzz(func(t *testing.T, text string) {
		id, hash, ok := access.ParseKey(text)
		if !ok {
			require.Empty(t, id)
			require.Zero(t, hash)
			return
		}

		require.Len(t, text, len(oldKey))
		require.Equal(t, "eye_"+id+"_", text[:17])
		for _, c := range text[4:16] + text[17:] {
			require.Contains(t, alphabet, string(c))
		}

		require.Equal(t, sha256.Sum256([]byte(text)), hash)
	})
}

func BenchmarkParseKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := access.ParseKey(oldKey); !ok {
			b.Fatal("refused")
		}
	}
}
