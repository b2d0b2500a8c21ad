package ops

import "context"

// AskReady asks the checks of /readyz, as a probe does.
func (p *Port) AskReady(ctx context.Context) bool { return p.ready.runChecks(ctx, nil).Ready }
