package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/query"
)

// readGrouping reads how counts are divided.
func (p *parameters) readGrouping(dimensions ...string) query.Grouping {
	g, wrong := query.ParseGrouping(p.readText("group_by"), p.readText("interval"), p.readBoolean("fill"), dimensions...)
	p.violations = append(p.violations, wrong...)
	return g
}

// getStats is GET /v1/stats.
func (a *api) getStats(c *gin.Context) {
	p := readParameters(c)
	filter := query.StatsFilter{
		Grouping:    p.readGrouping("category", "name", "application"),
		SessionID:   p.readID("session_id"),
		Category:    p.readText("category"),
		Name:        p.readText("name"),
		Application: p.readApplication(c),
	}
	from, to := p.readTimeRange()
	filter.From, filter.To = filter.ResolveRange(from, to, a.Now())
	if err := p.toFault(); err != nil {
		a.sendProblem(c, err)
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	buckets, err := a.Finder.EventStats(ctx, filter)
	a.sendCounts(c, filter.Grouping, jsonTime(filter.From), jsonTime(filter.To), buckets, err)
}

// sendCounts answers with counts and the range that was counted.
func (a *api) sendCounts(c *gin.Context, g query.Grouping, from, to jsonTime, buckets []query.Bucket, err error) {
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	if requestStateOf(c).format == formatCSV {
		sendTable(a, c, countTable(g), buckets)
		return
	}

	sendBody(c, http.StatusOK, "application/json", append(appendCounts(g, from, to, buckets), '}'))
}

// appendCounts renders counts and the range that was counted, up to the last bracket.
func appendCounts(g query.Grouping, from, to jsonTime, buckets []query.Bucket) []byte {
	body := appendTime([]byte(`{"from":`), from)
	body = appendTime(append(body, `,"to":`...), to)
	body = append(body, `,"buckets":[`...)
	for n := range buckets {
		b := &buckets[n]
		if n > 0 {
			body = append(body, ',')
		}

		body = append(body, '{')
		if g.Interval != 0 {
			body = append(appendTime(append(body, `"start":`...), jsonTime(b.Start)), ',')
		}

		for i, dimension := range g.By {
			body = append(appendString(append(appendString(body, dimension), ':'), b.Group[i]), ',')
		}

		body = append(strconv.AppendInt(append(body, `"count":`...), b.Count, 10), '}')
	}

	return append(body, ']')
}

// appendTime renders a time, or null for none.
func appendTime(b []byte, t jsonTime) []byte {
	text, _ := t.MarshalJSON() // it cannot fail
	return append(b, text...)
}
