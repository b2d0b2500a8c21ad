package query_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// A range is read the same from a request and from a command: a bound that was given is never
// dropped, and a wrong one is named as it was given.
func TestParseRange(t *testing.T) {
	t.Parallel()
	const (
		form = " is a time such as 2021-01-01T09:15:27Z, or a day such as 2021-01-01"
		zone = " does not say in which zone it is: add Z or an offset, as in 2021-01-01T09:15:27Z"
	)
	day := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		first, last string
		from, to    time.Time
		wrong       []string
	}{
		{},
		{first: "2021-01-01", from: day},
		{last: "2021-01-01T09:15:27+01:00", to: day.Add(8*time.Hour + 15*time.Minute + 27*time.Second)},
		{first: "2021-01-01", last: "2021-01-01", from: day, to: day},
		{last: "0001-01-01", to: time.Time{}.Add(time.Microsecond)},
		{first: "0001-01-01T00:00:00Z", from: time.Time{}.Add(time.Microsecond)},
		{first: "2021-01-02", last: "2021-01-01", from: day.AddDate(0, 0, 1), to: day, wrong: []string{"--to lies before --from"}},
		{first: "2021-01-01", last: "0001-01-01", from: day, to: time.Time{}.Add(time.Microsecond), wrong: []string{"--to lies before --from"}},
		{first: "2021-01-01T00:00:00", wrong: []string{"--from" + zone}},
		{first: "yesterday", last: "2021-02-30", wrong: []string{"--from" + form, "--to" + form}},
	} {
		from, to, wrong := query.ParseRange(query.Bound{Name: "--from", Text: c.first}, query.Bound{Name: "--to", Text: c.last})
		require.True(t, c.from.Equal(from), "%+v: %s", c, from)
		require.True(t, c.to.Equal(to), "%+v: %s", c, to)

		var details []string
		for _, w := range wrong {
			require.Equal(t, fault.CodeInvalidParameter, w.Code)
			require.True(t, len(w.Detail) > len(w.Parameter) && w.Detail[:len(w.Parameter)] == w.Parameter, w.Detail)
			details = append(details, w.Detail)
		}

		require.Equal(t, c.wrong, details, "%+v", c)
	}
}
