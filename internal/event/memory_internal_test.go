package event

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The names of a large object are kept once, in the set that finds those given twice: the list
// that leads to the current value stays short, whatever a sender puts into one object.
func TestTheNamesOfALargeObjectAreKeptOnce(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(`{"m":0`)
	for i := range 10_000 {
		fmt.Fprintf(&text, `,"m%d":{"a":0,"b":0}`, i)
	}
	text.WriteString(`}`)
	rules := DefaultRules()
	rules.EventBytes = text.Len()

	s := newScanner([]byte(text.String()), &rules)
	require.True(t, s.readMembers((*scanner).readValue))

	require.LessOrEqual(t, cap(s.names), 4*linearNames)
}
