package client

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// pageSize is what a list asks for at once if its filter does not say; the service's default
// is for people.
const pageSize = 1000

// readPages yields the items of a list, and asks for the next page when those of one are used
// up. fetch reads a page and returns its items and the cursor of the next one, or "". An error
// ends the list.
func readPages[T any](query url.Values, fetch func(url.Values) (items []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		query := maps.Clone(query) // each loop over the list begins at its beginning
		for {
			items, next, err := fetch(query)
			if err != nil {
				var none T
				yield(none, err)
				return
			}

			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}

			if next == "" {
				return
			}

			query.Set("cursor", next)
		}
	}
}

// failList returns a list that consists of an error.
func failList[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

// setText adds a parameter unless it is empty.
func setText(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// setTime adds a time unless it is zero.
func setTime(query url.Values, name string, at time.Time) {
	if !at.IsZero() {
		query.Set(name, at.UTC().Format(timeLayout))
	}
}

func setLimit(query url.Values, size int) {
	if size == 0 {
		size = pageSize
	}

	query.Set("limit", strconv.Itoa(size))
}

// getByID reads the document with an id below a path. The id is checked here because it
// becomes a part of the path.
func (c *Client) getByID(ctx context.Context, path, id string, into any) error {
	if !isID(id) {
		return fmt.Errorf("client: %q is not a UUID", id)
	}

	return c.get(ctx, path+strings.ToLower(id), nil, into)
}
