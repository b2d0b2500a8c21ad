// Package query owns the queries of analysts and operators: filters, pages, cursors and
// streams over events, sessions and rejections.
//
// Pages are selected by key, never by offset: a cursor names the last row of a page and
// its filter, so it stays valid while new events arrive. A stream is a series of pages,
// so that it needs constant memory and a slow reader holds no connection to the
// database.
package query
