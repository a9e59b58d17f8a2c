package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/fewshot"
)

// panel is one question with its answers.
type panel struct {
	title  string
	study  fewshot.Study
	zero   float64 // accuracy of zero-shot
	curves []curve
}

// curve is a method's accuracy by the number of examples, in per cent.
type curve struct {
	method           string
	shots            []int
	mean, half, gain []float64
}

func (p *panel) measure(ctx context.Context) error {
	classes, methods := p.study.Text.N, fewshot.Methods()
	p.study.Methods = methods
	p.zero = 100 * fewshot.Test(fewshot.ZeroShot(p.study.Text, p.study.Scale), p.study.Test, classes).Accuracy()
	results, err := p.study.Run(ctx, func(r fewshot.Result) {
		if r.Method == methods[len(methods)-1].Name {
			fmt.Fprintf(os.Stderr, "%s %d examples a class are done\n", p.title, r.Shots)
		}
	})
	if err != nil {
		return err
	}
	for _, r := range results {
		k := slices.IndexFunc(p.curves, func(c curve) bool { return c.method == r.Method })
		if k < 0 {
			k = len(p.curves)
			p.curves = append(p.curves, curve{method: r.Method})
		}
		var values []float64
		for _, run := range r.Runs {
			values = append(values, 100*run.Accuracy())
		}
		mean, half, err := fewshot.Interval(values)
		if err != nil {
			return err
		}
		c := &p.curves[k]
		c.shots, c.mean, c.half, c.gain = append(c.shots, r.Shots), append(c.mean, mean), append(c.half, half), append(c.gain, mean-p.zero)
	}
	return nil
}

// print writes accuracies and, below, what the last column gains on zero-shot.
// Zero-shot does not depend on the draw, so a gain has the accuracy's interval.
func (p *panel) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s  (%d test images; accuracy in %%, mean of %d draws ± 95 %% interval)\n", p.title, p.study.Test.Images.N, p.study.Seeds)
	fmt.Fprintf(w, "%-16s", "examples a class")
	for _, n := range p.curves[0].shots {
		fmt.Fprintf(w, "%13d", n)
	}
	fmt.Fprintf(w, "%14s\n%-16s", "gain", "zero-shot")
	for range p.curves[0].shots {
		fmt.Fprintf(w, "%7.1f%6s", p.zero, "")
	}
	fmt.Fprintln(w)
	for _, c := range p.curves {
		fmt.Fprintf(w, "%-16s", c.method)
		for i := range c.shots {
			fmt.Fprintf(w, "%7.1f ±%4.1f", c.mean[i], c.half[i])
		}
		last := len(c.shots) - 1
		fmt.Fprintf(w, "%+8.1f ±%4.1f\n", c.gain[last], c.half[last])
	}
}

// embed encodes a set. Images that cannot be used are named and left out.
func embed(ctx context.Context, m *encoder.Model, src dataset.Source, classes []string) (fewshot.Set, error) {
	f, err := eval.Embed(ctx, m, src, nil)
	if err != nil {
		return fewshot.Set{}, err
	}
	for _, bad := range f.Skipped {
		fmt.Fprintf(os.Stderr, "left out: %v\n", bad)
	}
	s := fewshot.Set{Images: f.Images}
	for i, label := range f.Labels {
		c := slices.Index(classes, label)
		if c < 0 {
			return s, fmt.Errorf("%s: label %q is not a class of the training set", f.Keys[i], label)
		}
		s.Classes = append(s.Classes, c)
	}
	return s, nil
}

// restrict keeps some classes, numbered anew, and their images.
func restrict(s fewshot.Study, keep func(class int) bool) (text *encoder.Embeddings, pool, test fewshot.Set) {
	number := make(map[int]int)
	text = &encoder.Embeddings{Dim: s.Text.Dim}
	for c := range s.Text.N {
		if keep(c) {
			number[c] = text.N
			text.N, text.Data = text.N+1, append(text.Data, s.Text.Row(c)...)
		}
	}
	part := func(from fewshot.Set) fewshot.Set {
		out := fewshot.Set{Images: &encoder.Embeddings{Dim: s.Text.Dim}}
		for i, c := range from.Classes {
			if n, ok := number[c]; ok {
				out.Images.N, out.Images.Data = out.Images.N+1, append(out.Images.Data, from.Images.Row(i)...)
				out.Classes = append(out.Classes, n)
			}
		}
		return out
	}
	return text, part(s.Pool), part(s.Test)
}
