// Command shop is an example: a small shop whose pages and whose backend send events of the same
// session to The Eye. The pages use the browser client, which holds each event until its
// verdict; the backend uses the Go client, whose buffer does the same.
//
// `make shop` starts it together with a service.
package main
