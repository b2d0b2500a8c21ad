package ops

import "context"

// AskReady runs the checks of /readyz, as a probe does.
func (p *Port) AskReady(ctx context.Context) bool { return p.ready.runChecks(ctx, nil).Ready }
