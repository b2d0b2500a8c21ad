package app

import "net/http"

// Handler is the handler of the public port, for benchmarks.
func (s *Service) Handler() http.Handler { return s.public.http.Handler }
