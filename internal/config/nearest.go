package config

// findNearest returns the candidate with the smallest edit distance from text, the
// first one if there are several.
func findNearest(text string, candidates []string) string {
	best := ""
	fewest := -1
	for _, candidate := range candidates {
		if d := editDistance(text, candidate); fewest < 0 || d < fewest {
			best = candidate
			fewest = d
		}
	}

	return best
}

// editDistance counts the bytes to insert, remove or replace to turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}

	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}

			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}

	return row[len(b)]
}
