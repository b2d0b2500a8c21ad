// Package kube fills one Secret of the pod's own namespace by the API of Kubernetes,
// with the token of the pod's account. It needs the verbs get and patch on that one
// Secret and nothing else. What is in the Secret is never replaced.
package kube
