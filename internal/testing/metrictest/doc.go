// Package metrictest gives a test a meter whose metrics it reads as Prometheus
// would: by the names, the labels and the values that a scrape shows. Only tests
// import it.
package metrictest
