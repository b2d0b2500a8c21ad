package httpapi

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/query"
)

// listAudit is GET /v1/audit.
func (a *api) listAudit(c *gin.Context) {
	p := readParameters(c)
	filter := query.AuditFilter{Actor: p.text("actor"), Target: p.text("target")}
	actions := make([]string, 0, len(audit.Actions()))
	for _, action := range audit.Actions() {
		actions = append(actions, string(action))
	}
	filter.Action = audit.Action(p.oneOf("action", actions...))
	filter.From, filter.To = p.timeRange()
	limit, cursor := p.limit(), p.text("cursor")
	if err := p.fault(); err != nil {
		a.fail(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()
	page, err := a.Finder.AuditPage(ctx, filter, cursor, limit)
	if err != nil {
		a.fail(c, err)
		return
	}
	a.endList(c, "entries", page.Items, page.Next)
}
