// Package browsertest proves what the browser SDK promises, in a real Chromium, against a real
// service and database. It owns the testbed: the front that disturbs requests, the site whose pages
// use the SDK, and the driver in Node that plays scenes in Chromium. It has tests only, behind the
// build tag browser; run them with make test-browser.
package browsertest
