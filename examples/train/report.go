package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/examples/internal/prompt"
	"github.com/goclip/goclip/examples/internal/sheet"
)

// report measures the model on images that it was not trained on, prints the
// results and draws the sheet.
func report(ctx context.Context, model *encoder.Model, s *sets, ledger *dataset.Ledger, path string) error {
	for _, bad := range ledger.Bad() {
		fmt.Fprintf(os.Stderr, "left out: %s\n", bad)
	}
	page := sheet.New("Images that the model never saw, named by it")
	var lines []string
	for _, t := range s.tests {
		var line string
		var err error
		if len(s.classes) > 0 {
			line, err = classify(ctx, model, s, t, page)
		} else {
			line, err = retrieve(ctx, model, t, page)
		}
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	if s.couples != nil {
		line, err := couples(ctx, model, s.couples, page)
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	page.Footer(lines...)
	if len(lines) > 0 {
		if err := page.WritePNG(path); err != nil {
			return err
		}
		fmt.Printf("sheet: %s\n", path)
	}
	for _, line := range lines {
		fmt.Println(line)
	}
	return nil
}

// classify names the images of a labelled set and shows every n-th.
func classify(ctx context.Context, model *encoder.Model, s *sets, t test, page *sheet.Sheet) (string, error) {
	c, err := model.NewClassifier(ctx, s.classes, s.templates...)
	if err != nil {
		return "", err
	}
	row, seen, every := page.Row(t.name), 0, max(1, t.Len()/24)
	result, err := eval.Classify(ctx, model, c, t, func(p dataset.Pair, best []encoder.Prediction) {
		if seen++; seen%every == 0 {
			row.Add(answer(p, best))
		}
	})
	if err != nil {
		return "", err
	}
	for _, bad := range result.Skipped {
		fmt.Fprintf(os.Stderr, "left out: %v\n", bad)
	}
	if len(result.Classes) <= 20 {
		for i, name := range result.Classes {
			accuracy, n := result.Class(i)
			fmt.Printf("  %-20s %5.1f %% of %d\n", name, 100*accuracy, n)
		}
	}
	return fmt.Sprintf("%s: %.1f %%", t.name, 100*result.Accuracy()), nil
}

func answer(p dataset.Pair, best []encoder.Prediction) sheet.Cell {
	cell := sheet.Cell{Image: p.Image, Verdict: sheet.Wrong, Caption: best[0].Label}
	if best[0].Label == p.Label {
		cell.Verdict = sheet.Right
	} else {
		cell.Note = "it is a " + p.Label
	}
	for _, b := range best[:min(3, len(best))] {
		cell.Bars = append(cell.Bars, sheet.Bar{Label: b.Label, Value: b.Probability, True: b.Label == p.Label})
	}
	return cell
}

// couples measures whether the model knows which of two figures is where, and
// which of two colours belongs to which: it chooses a caption among its rivals.
func couples(ctx context.Context, model *encoder.Model, src dataset.Source, page *sheet.Sheet) (string, error) {
	row := page.Row("two figures: which of the captions that differ in one word, or in two that change places?")
	n, relation, whole := 0, 0, 0
	for sample, err := range src.Samples(ctx, dataset.Order{}) {
		if err != nil {
			return "", err
		}
		p, err := sample.Pair(0)
		if err != nil {
			return "", err
		}
		p.Label = p.Caption
		c, err := model.NewClassifier(ctx, append([]string{p.Caption}, prompt.Rivals(p.Caption)...))
		if err != nil {
			return "", err
		}
		best, err := c.Classify(ctx, p.Image)
		if err != nil {
			return "", err
		}
		others := prompt.Relations(p.Caption)
		ofFour := slices.IndexFunc(best, func(b encoder.Prediction) bool { return b.Label == p.Caption || slices.Contains(others, b.Label) })
		if best[ofFour].Label == p.Caption {
			relation++
		}
		if best[0].Label == p.Caption {
			whole++
		}
		if n++; n <= 24 {
			row.Add(answer(p, best))
		}
	}
	percent := func(k int) float64 { return 100 * float64(k) / float64(n) }
	return fmt.Sprintf("two figures: %.1f %% the right one of four relations, %.1f %% the right caption among its rivals", percent(relation), percent(whole)), nil
}

// retrieve measures how well captions find their images, and shows a few.
func retrieve(ctx context.Context, model *encoder.Model, t test, page *sheet.Sheet) (string, error) {
	r, err := eval.Retrieve(ctx, model, t, 1, 5, 10)
	if err != nil {
		return "", err
	}
	var shown []dataset.Pair
	for sample, err := range t.Samples(ctx, dataset.Order{}) {
		if err != nil {
			return "", err
		}
		if pair, err := sample.Pair(0); err == nil {
			if shown = append(shown, pair); len(shown) == 24 {
				break
			}
		}
	}
	var captions []string
	for _, p := range shown {
		captions = append(captions, p.Caption)
	}
	c, err := model.NewClassifier(ctx, captions)
	if err != nil {
		return "", err
	}
	row := page.Row(fmt.Sprintf("%d of them: which of their captions belongs to which?", len(shown)))
	for _, p := range shown {
		best, err := c.Classify(ctx, p.Image)
		if err != nil {
			return "", err
		}
		p.Label = p.Caption
		row.Add(answer(p, best))
	}
	return fmt.Sprintf("%s: %d images, %d captions; recall@1/5/10 image to text %.1f/%.1f/%.1f %%, text to image %.1f/%.1f/%.1f %%",
		t.name, r.Images, r.Captions,
		100*r.ImageToText[1], 100*r.ImageToText[5], 100*r.ImageToText[10],
		100*r.TextToImage[1], 100*r.TextToImage[5], 100*r.TextToImage[10]), nil
}
