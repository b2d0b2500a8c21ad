// Command schemas extracts JSON schemas for kubeconform from the OpenAPI documents in the
// module k8s.io/kubernetes: the kinds that the chart makes and the schemas that they refer to,
// without descriptions, and strict. The output is committed, so that no check downloads
// anything. `make chart-schemas` runs it for the oldest and the newest Kubernetes that the
// chart supports.
package main
