package charts_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// names is a set of label names.
type names map[string]bool

func nameSet(list ...string) names {
	set := names{}
	for _, name := range list {
		set[name] = true
	}

	return set
}

// targetLabels are the labels that Prometheus adds.
func targetLabels() names { return nameSet("job", "instance", "namespace", "pod") }

// metric is a metric that a query may use.
type metric struct {
	// kind is the type in the exposition: recorded series have none.
	kind   dto.MetricType
	labels names
	// series are the labels in the exposition, without those of the target.
	series []map[string]string
	// recorded is true when a recording rule makes the metric.
	recorded bool
}

// known are the metrics that queries may use, by name.
type known map[string]metric

// exposed returns the metrics of an exposition.
func exposed(families map[string]*dto.MetricFamily) known {
	all := known{}
	for name, family := range families {
		plain := metric{kind: family.GetType(), labels: targetLabels()}
		buckets := metric{kind: family.GetType(), labels: targetLabels()}
		buckets.labels["le"] = true
		for _, series := range family.GetMetric() {
			has := map[string]string{}
			for _, pair := range series.GetLabel() {
				has[pair.GetName()] = pair.GetValue()
				plain.labels[pair.GetName()] = true
				buckets.labels[pair.GetName()] = true
			}

			plain.series = append(plain.series, has)
			for _, bucket := range series.GetHistogram().GetBucket() {
				with := maps.Clone(has)
				with["le"] = strconv.FormatFloat(bucket.GetUpperBound(), 'g', -1, 64)
				buckets.series = append(buckets.series, with)
			}
		}

		if family.GetType() == dto.MetricType_HISTOGRAM {
			all[name+"_bucket"] = buckets
			all[name+"_count"] = plain
			all[name+"_sum"] = plain
		} else {
			all[name] = plain
		}
	}

	return all
}

// faults returns the errors in a query: a metric, label or value that does not exist, or the
// rate of a metric that is not a counter. It adds the names of the query's metrics to used.
func (k known) faults(expr parser.Expr, used names) (found []string) {
	complain := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			used[n.Name] = true
			found = append(found, k.selectorFaults(n)...)
		case *parser.AggregateExpr:
			for _, name := range n.Grouping {
				if !k.labelsBelow(n.Expr)[name] {
					complain("%s: there is no label %q to group by", n, name)
				}
			}
		case *parser.BinaryExpr:
			if n.VectorMatching != nil && n.VectorMatching.On {
				for _, name := range n.VectorMatching.MatchingLabels {
					if !k.labelsBelow(n.LHS)[name] || !k.labelsBelow(n.RHS)[name] {
						complain("%s: there is no label %q on both sides", n, name)
					}
				}
			}
		case *parser.Call:
			found = append(found, k.callFaults(n)...)
		}

		return nil
	})

	return found
}

func (k known) selectorFaults(n *parser.VectorSelector) []string {
	m, found := k[n.Name]
	if !found {
		return []string{fmt.Sprintf("there is no metric %q", n.Name)}
	}

	var wanted []*labels.Matcher
	for _, matcher := range n.LabelMatchers {
		switch {
		case matcher.Name == model.MetricNameLabel:
		case !m.labels[matcher.Name]:
			return []string{fmt.Sprintf("%s has no label %q", n.Name, matcher.Name)}
		case !targetLabels()[matcher.Name]:
			wanted = append(wanted, matcher)
		}
	}

	if m.recorded || slices.ContainsFunc(m.series, func(has map[string]string) bool { return matches(has, wanted) }) {
		return nil
	}

	return []string{fmt.Sprintf("nothing matches %s", n)}
}

func matches(has map[string]string, all []*labels.Matcher) bool {
	return !slices.ContainsFunc(all, func(m *labels.Matcher) bool { return !m.Matches(has[m.Name]) })
}

func (k known) callFaults(n *parser.Call) (found []string) {
	selector := func(of parser.Node) *parser.VectorSelector {
		var first *parser.VectorSelector
		parser.Inspect(of, func(node parser.Node, _ []parser.Node) error {
			if s, is := node.(*parser.VectorSelector); is && first == nil {
				first = s
			}

			return nil
		})

		return first
	}

	switch n.Func.Name {
	case "rate", "increase", "irate":
		if s := selector(n.Args[0]); s != nil && k[s.Name].kind == dto.MetricType_GAUGE {
			found = append(found, fmt.Sprintf("%s: %s is a gauge", n, s.Name))
		}
	case "histogram_quantile":
		if s := selector(n.Args[1]); s == nil || !strings.HasSuffix(s.Name, "_bucket") || !k.output(n.Args[1])["le"] {
			found = append(found, fmt.Sprintf("%s: no buckets by le", n))
		}
	}

	return found
}

// labelsBelow returns the labels of all metrics in an expression.
func (k known) labelsBelow(expr parser.Node) names {
	all := names{}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if s, is := node.(*parser.VectorSelector); is {
			maps.Copy(all, k[s.Name].labels)
		}

		return nil
	})

	return all
}

// output returns the labels of an expression's result, as far as legends, templates and
// recorded series need them.
func (k known) output(expr parser.Expr) names {
	switch n := expr.(type) {
	case *parser.AggregateExpr:
		if n.Op == parser.TOPK || n.Op == parser.BOTTOMK {
			return k.output(n.Expr)
		}

		return nameSet(n.Grouping...)
	case *parser.BinaryExpr:
		if n.VectorMatching != nil && n.VectorMatching.On && !n.Op.IsSetOperator() {
			return nameSet(n.VectorMatching.MatchingLabels...)
		}

		both := k.output(n.LHS)
		if n.Op == parser.LOR || len(both) == 0 {
			both = maps.Clone(both)
			maps.Copy(both, k.output(n.RHS))
		}

		return both
	case *parser.Call:
		out := names{}
		for _, argument := range n.Args {
			maps.Copy(out, k.output(argument))
		}

		if n.Func.Name == "label_replace" {
			if added, is := n.Args[1].(*parser.StringLiteral); is {
				out[added.Val] = true
			}
		}

		return out
	case *parser.MatrixSelector:
		return k.output(n.VectorSelector)
	case *parser.SubqueryExpr:
		return k.output(n.Expr)
	case *parser.ParenExpr:
		return k.output(n.Expr)
	case *parser.VectorSelector:
		return maps.Clone(k[n.Name].labels)
	default:
		return names{}
	}
}
