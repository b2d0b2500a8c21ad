// Package query owns the questions that analysts and operators may ask: filters,
// pages, cursors and streams over events, sessions and rejections.
//
// Pages go by key, never by offset: a cursor names the last row that was seen and
// the filter it came from, so it stays right while new events arrive. A stream is
// pages read one after the other, so that it runs in constant memory and a slow
// reader holds no connection to the database.
package query
