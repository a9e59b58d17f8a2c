package scaling

import (
	"encoding/csv"
	"os"
	"strconv"
	"testing"

	"github.com/goclip/goclip/internal/golden"
)

// published reads the results table of Cherti et al. (2023): compute in GMAC and
// the error of one metric on one task, of OpenAI's models or of all others.
func published(t *testing.T, task, metric string, openai bool) []Point {
	t.Helper()
	file, err := os.Open(golden.Fixtures(t, "scaling", "zeroshot_results.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows := must(csv.NewReader(file).ReadAll())(t)
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	var out []Point
	for _, row := range rows[1:] {
		if row[column["downstream_dataset"]] != task || (row[column["upstream_dataset"]] == "CLIP-WIT") != openai {
			continue
		}
		compute := must(strconv.ParseFloat(row[column["gmacs_total"]], 64))(t)
		score := must(strconv.ParseFloat(row[column[metric]], 64))(t)
		out = append(out, Point{compute, 1 - score})
	}
	return out
}

// TestOpenCLIP refits the scaling laws of OpenCLIP's and OpenAI's published models.
// The wanted laws have four digits.
func TestOpenCLIP(t *testing.T) {
	const acc1, recall = "acc1", "image_retrieval_recall@5"
	for _, c := range []struct {
		task, metric     string
		openclip, openai Power
	}{
		{"imagenet1k", acc1, Power{A: 5.858, Alpha: 0.1114}, Power{A: 23.18, Alpha: 0.1638}},
		{"imagenet_robustness", acc1, Power{A: 11.61, Alpha: 0.1255}, Power{A: 211.7, Alpha: 0.2378}},
		{"mscoco_captions", recall, Power{A: 2.750, Alpha: 0.0794}, Power{A: 1.589, Alpha: 0.0508}},
		{"flickr30k", recall, Power{A: 15.51, Alpha: 0.1892}, Power{A: 2.208, Alpha: 0.1028}},
		{"vtab/cifar10", acc1, Power{A: 34.65, Alpha: 0.2451}, Power{A: 982.5, Alpha: 0.3592}},
		{"vtab/cifar100", acc1, Power{A: 8.446, Alpha: 0.1360}, Power{A: 23.53, Alpha: 0.1645}},
	} {
		t.Run(c.task, func(t *testing.T) {
			points := published(t, c.task, c.metric, false)
			if len(points) != 29 {
				t.Fatalf("%d models, want 29", len(points))
			}
			f := must(FitFrontier(points, 5, nil))(t)
			near(t, "OpenCLIP's exponent", f.Law.Alpha, c.openclip.Alpha, 5e-5)
			near(t, "OpenCLIP's factor", f.Law.A/c.openclip.A, 1, 3e-4)
			if i := f.Interval(0.9, func(p Power) float64 { return p.Alpha }); !i.Contains(f.Law.Alpha) {
				t.Errorf("the exponent %g lies outside its own interval %v", f.Law.Alpha, i)
			}
			all := must(FitLine(points, &Options{Resamples: 2}))(t)
			if !(all.R2 > 0.45 && all.R2 < 0.73) {
				t.Errorf("a line through all models has R² %.3f, want 0.46 to 0.72", all.R2)
			}
			three := must(FitLine(published(t, c.task, c.metric, true), &Options{Resamples: 2}))(t)
			near(t, "OpenAI's exponent", three.Law.Alpha, c.openai.Alpha, 5e-5)
			near(t, "OpenAI's factor", three.Law.A/c.openai.A, 1, 3e-4)
		})
	}
}
