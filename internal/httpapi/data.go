package httpapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// dataParameters stands in a route's list for the parameters that filter by payload, each of
// which is named after a path.
const (
	dataPrefix     = "data."
	dataParameters = dataPrefix + "{path}"
)

// readDataFilters reads the filters by payload, in the order of their paths.
func (p *parameters) readDataFilters() []query.DataFilter {
	var found []query.DataFilter
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		text, ok := strings.CutPrefix(name, dataPrefix)
		if !ok {
			continue
		}

		path, err := query.ParseDataPath(text)
		if err == nil && (strings.ContainsRune(text, 0) || !utf8.ValidString(text)) {
			err = errors.New("it holds a NUL character, or is not valid UTF-8")
		}

		if err != nil {
			p.addViolation(name, fault.CodeInvalidParameter, fmt.Sprintf("what follows data. is a path such as items.0.sku, with a backslash before each dot of a name: %.128v", err))
			continue
		}

		found = append(found, query.DataFilter{Path: path, Value: p.values.Get(name)})
	}

	slices.SortFunc(found, func(a, b query.DataFilter) int { return slices.Compare(a.Path, b.Path) })
	if len(found) > query.MaxDataFilters {
		p.addViolation(dataPrefix+found[0].Path.String(), fault.CodeInvalidParameter, fmt.Sprintf("there are at most %d filters by payload", query.MaxDataFilters))
	}

	return found
}

// planDataFilters determines how a filter by payload can be answered.
func (a *api) planDataFilters(c *gin.Context, filter *query.EventFilter) error {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	return a.Finder.AdmitFilter(ctx, filter)
}
