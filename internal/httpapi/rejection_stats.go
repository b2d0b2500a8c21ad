package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// readRejectionFilter reads the filters of rejections.
func (p *parameters) readRejectionFilter(c *gin.Context) query.RejectionFilter {
	filter := query.RejectionFilter{
		Code:        p.readText("code"),
		Application: p.readApplication(c),
		Category:    p.readText("category"),
		Name:        p.readText("name"),
		SessionID:   p.readID("session_id"),
		Status:      p.readOneOf("status", query.RejectionStatuses()...),
	}
	filter.From, filter.To = p.readTimeRange()
	return filter
}

// getErrorStats is GET /v1/errors/stats.
func (a *api) getErrorStats(c *gin.Context) {
	p := readParameters(c)
	filter := query.RejectionStatsFilter{Grouping: p.readGrouping("code", "application", "category", "name"), RejectionFilter: p.readRejectionFilter(c)}
	filter.From, filter.To = filter.ResolveRange(filter.From, filter.To, a.Now())
	if err := p.toFault(); err != nil {
		a.sendProblem(c, err)
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	buckets, err := a.Finder.RejectionStats(ctx, filter)
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	if requestStateOf(c).format == formatCSV {
		sendTable(a, c, countTable(filter.Grouping), buckets)
		return
	}

	notKept, err := a.Finder.CountNotKept(ctx, filter.RejectionFilter)
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	body := appendCounts(filter.Grouping, jsonTime(filter.From), jsonTime(filter.To), buckets)
	body = strconv.AppendInt(append(body, `,"not_kept":`...), notKept, 10)
	sendBody(c, http.StatusOK, "application/json", append(body, '}'))
}

// groupAnswer renders the common properties of a group of rejections.
type groupAnswer struct {
	Code        fault.Code `json:"code"`
	Pointer     string     `json:"pointer"`
	Category    *string    `json:"category"`
	Name        *string    `json:"name"`
	Application string     `json:"application"`
	Count       int64      `json:"count"`
	FirstSeen   jsonTime   `json:"first_seen"`
	LastSeen    jsonTime   `json:"last_seen"`
	SampleID    uuid.UUID  `json:"sample_error_id"`
	Detail      string     `json:"detail"`
}

// listErrorGroups is GET /v1/errors/groups.
func (a *api) listErrorGroups(c *gin.Context) {
	p := readParameters(c)
	filter := p.readRejectionFilter(c)
	limit := p.readLimit()
	if err := p.toFault(); err != nil {
		a.sendProblem(c, err)
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	groups, err := a.Finder.RejectionGroups(ctx, filter, limit)
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	list := make([]groupAnswer, len(groups))
	for i, g := range groups {
		list[i] = groupAnswer{
			Code:        g.Code,
			Pointer:     g.Pointer,
			Category:    g.Category,
			Name:        g.Name,
			Application: g.Application,
			Count:       g.Count,
			FirstSeen:   jsonTime(g.FirstSeen),
			LastSeen:    jsonTime(g.LastSeen),
			SampleID:    g.SampleID,
			Detail:      g.Detail,
		}
	}

	if requestStateOf(c).format == formatCSV {
		sendTable(a, c, groupTable(), list)
		return
	}

	notKept, err := a.Finder.CountNotKept(ctx, filter)
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	a.sendJSON(c, http.StatusOK, struct {
		Groups  []groupAnswer `json:"groups"`
		NotKept int64         `json:"not_kept"`
	}{list, notKept})
}
