// Command schemas cuts JSON schemas for kubeconform out of the OpenAPI documents that
// ship in the module k8s.io/kubernetes: the kinds that the chart makes and what they
// refer to, without descriptions, and strict. What it writes is committed, so that no
// check downloads anything. `make chart-schemas` runs it for the oldest and the newest
// Kubernetes that the chart supports.
package main
