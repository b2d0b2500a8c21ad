package event_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// A request that compresses to a few kilobytes must not have a response of a thousand times its
// size.
func TestViolationsOfABatchAreToldBriefly(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	one := fmt.Sprintf(`{"data": {"%s": {"%s": {%s}}}}`, strings.Repeat("x", 40), strings.Repeat("z", 900), strings.Repeat(`"a": 0, `, 30)+`"b": 0`)
	batch, err := event.ParseNDJSON([]byte(strings.Repeat(one+"\n", 1000)), &rules, time.Now())
	require.NoError(t, err)
	require.Len(t, batch, 1000)
	told := 0
	for i := range batch {
		require.Len(t, batch[i].Violations, event.MaxViolations, "each violation is still reported")
		for _, v := range batch[i].Violations {
			told += len(v.Pointer)
		}
	}

	require.Less(t, told, 3<<20)
	pointer := func(i int) string {
		require.Equal(t, fault.CodeDuplicateMember, batch[i].Violations[0].Code)
		return batch[i].Violations[0].Pointer
	}
	require.Equal(t, "/data/"+strings.Repeat("x", 40)+"/"+strings.Repeat("z", 900)+"/a", pointer(0))
	require.Equal(t, "/data/"+strings.Repeat("x", 40), pointer(999))
}

func TestCutPointer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pointer string
		longest int
		want    string
	}{
		{"", 10, ""}, {"/a/b", 4, "/a/b"}, {"/a/b", 3, "/a"}, {"/a/b", 2, "/a"}, {"/abc", 3, ""}, {"/a~1b/c", 6, "/a~1b"}, {"/ab/cd", 5, "/ab"},
	} {
		require.Equal(t, c.want, event.CutPointer(c.pointer, c.longest), "%s %d", c.pointer, c.longest)
	}
}
