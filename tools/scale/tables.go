package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/scaling"
)

// tables are all of the page's.
func (in inputs) tables(benchmarks string) ([]table, error) {
	r, err := read(benchmarks)
	if err != nil {
		return nil, err
	}
	list := []table{{"inputs", in.assumed()}, {"rates", r.measured()}}
	for _, t := range []struct {
		name string
		make func(rates) (string, error)
	}{
		{"machines", in.runs}, {"limits", in.limits}, {"failures", in.failures}, {"storage", in.storage}, {"search", in.search},
		{"training", in.training},
	} {
		text, err := t.make(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		list = append(list, table{t.name, text})
	}
	return list, nil
}

func (r rates) measured() string {
	ms := func(seconds float64) string { return number(seconds*1e3, 3) + " ms" }
	rows := [][]string{
		{"an image of 0.5 megapixels, from its file to pixels", ms(r.small)},
		{"an image of 12 megapixels", ms(r.large)},
	}
	for _, t := range r.towers {
		rows = append(rows, []string{"image tower " + t.name + ", from pixels", ms(t.seconds)})
	}
	vit := r.tower("ViT-B-32")
	return grid([]string{"work", "one core"}, append(rows,
		[]string{"ViT-B-32, from the files of 256 photographs of 0.5 megapixels, as measured", ms(r.jpeg)},
		[]string{"the same, added up from its two parts", fmt.Sprintf("%s: %s × the measured", ms(vit.seconds+r.small), number((vit.seconds+r.small)/r.jpeg, 2))},
		[]string{"a pair of a training of ViT-B-32", ms(r.pair)},
		[]string{"exact search, two cores", number(r.scan/1e9, 3) + " GB/s"}))
}

func (r rates) tower(name string) tower {
	for _, t := range r.towers {
		if t.name == name {
			return t
		}
	}
	return tower{}
}

// runs are the towers over the whole set, and one of them over photographs as cameras make them.
func (in inputs) runs(r rates) (string, error) {
	var rows [][]string
	row := func(name string, b scaling.Bulk) error {
		o, err := b.Outcome()
		if err != nil {
			return err
		}
		rows = append(rows, []string{name, number(b.CoreSeconds*1e3, 3), number(b.Pictures*b.CoreSeconds/3600/24/365.25, 3), hours(o.Seconds), number(b.PerShard*b.CoreSeconds/60, 2), o.Limit.String(),
			number(o.Failures, 2), money(o.Seconds / 3600 * b.Machines * b.Cores * in.priceCoreHour)})
		return nil
	}
	for _, t := range r.towers {
		if err := row(t.name, in.bulk(t.seconds+r.small)); err != nil {
			return "", err
		}
	}
	vit := r.tower("ViT-B-32")
	camera := in.bulk(vit.seconds + r.large)
	camera.PictureBytes *= 24 // 12 megapixels
	if err := row("ViT-B-32, pictures of 12 megapixels", camera); err != nil {
		return "", err
	}
	return grid([]string{"image tower", "ms of a core for a picture", "core-years", "hours", "minutes of a shard", "limited by", "machines that fail", "price"}, rows), nil
}

// limits are what each resource alone would take with ViT-B-32, from shards and from loose files.
func (in inputs) limits(r rates) (string, error) {
	b := in.bulk(r.tower("ViT-B-32").seconds + r.small)
	loose := b
	loose.PerFile = 1
	shards, err := b.Limits()
	if err != nil {
		return "", err
	}
	files, err := loose.Limits()
	if err != nil {
		return "", err
	}
	alone := map[scaling.Resource]float64{}
	machines := 0.0
	for _, l := range files {
		alone[l.Resource] = l.Seconds
		if l.PerMore {
			machines = max(machines, l.Seconds*b.Machines)
		}
	}
	var rows [][]string
	for _, l := range shards {
		row := []string{l.Resource.String(), hours(l.Seconds), "grows with them", hours(alone[l.Resource]), "grows with them"}
		if !l.PerMore {
			row[2], row[4] = count(machines/l.Seconds), count(machines/alone[l.Resource])
		}
		rows = append(rows, row)
	}
	puts := func(b scaling.Bulk) string { return money(b.Files() / 1000 * in.priceThousandPuts) }
	rows = append(rows, []string{"files, and their price", count(b.Files()) + ", " + puts(b), "", count(loose.Files()) + ", " + puts(loose), ""})
	return grid([]string{"resource", "shards: hours by itself", "first limit from so many machines on", "loose files: hours", "machines"}, rows), nil
}

// failures are runs of the slowest tower whose machines live for longer and shorter, with large and small parts.
func (in inputs) failures(r rates) (string, error) {
	slow := r.towers[len(r.towers)-1]
	var rows [][]string
	for _, lifetime := range []float64{1, 10, 100, 1000} {
		row := []string{count(lifetime)}
		for _, part := range []float64{100e3, 10e3, 1e3} {
			b := in.bulk(slow.seconds + r.small)
			b.Lifetime, b.PerPart, b.PerShard, b.PerFile = lifetime*3600, part, 100e3, 100e3
			o, err := b.Outcome()
			if err != nil {
				row = append(row, "never ends", "")
				continue
			}
			row = append(row, number(o.Lost*100, 2)+" %", count(o.Failures))
		}
		rows = append(rows, row)
	}
	return grid([]string{"hours between failures", "parts of 100,000: time lost", "failures", "parts of 10,000", "failures", "parts of 1,000", "failures"}, rows), nil
}

func (in inputs) storage(rates) (string, error) {
	var rows [][]string
	for _, dim := range []float64{512, 768, 1024} {
		row := []string{count(dim)}
		for _, bytes := range []float64{4, 2, 1} {
			size := in.pictures * dim * bytes
			row = append(row, terabytes(size)+", "+money(size/1e12*in.priceTBMonth))
		}
		rows = append(rows, row)
	}
	for name, bytes := range map[string]float64{"names and captions": in.metadataBytes, "the pictures themselves": in.pictureBytes} {
		size := in.pictures * bytes
		rows = append(rows, []string{name, terabytes(size) + ", " + money(size/1e12*in.priceTBMonth), "", ""})
	}
	slices.SortFunc(rows[3:], func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return grid([]string{"numbers of a row", "float32: size, a month", "float16", "int8"}, rows), nil
}

// search is exact search of rows of 512 numbers, and what an approximate index of codes takes.
func (in inputs) search(r rates) (string, error) {
	var rows [][]string
	for _, kind := range []struct {
		name  string
		bytes float64
	}{{"float32", 4 * 512}, {"float16", 2 * 512}, {"int8, and a scale", 512 + 4}, {"codes of 64 bytes, and a number", 64 + 8}} {
		s := scaling.Rows{N: in.pictures, Bytes: kind.bytes, Memory: in.memory, PerTouch: in.memoryRate}
		two := s
		two.PerTouch = r.scan
		rows = append(rows, []string{kind.name, terabytes(s.Total()), count(s.Machines()), number(two.Seconds(), 3), number(s.Seconds(), 3),
			money(s.Machines() * in.cores * in.priceCoreHour * 24 * 365.25 / 12)})
	}
	return grid([]string{"rows", "memory", "machines", "seconds a query, as two cores read", "seconds, as assumed", "price a month"}, rows), nil
}

// training is ViT-B/32 as measured, and ViT-L/14 by its operations, on growing numbers of machines. An
// optimiser whose states are sharded is shared work, too, and so is decoding.
func (in inputs) training(r rates) (string, error) {
	var rows [][]string
	base := 0.0
	for _, name := range []string{"ViT-B-32", "ViT-L-14"} {
		cfg, known := encoder.ConfigByName(name)
		if !known {
			return "", fmt.Errorf("no configuration is called %s", name)
		}
		flops, err := scaling.TrainingFLOPs(cfg)
		if err != nil {
			return "", err
		}
		if base == 0 {
			base = flops
		}
		cost, err := cfg.Cost()
		if err != nil {
			return "", err
		}
		for _, gbit := range []float64{10, 100} {
			for _, how := range []scaling.Collective{scaling.Ring, scaling.Tree} {
				s := scaling.Step{
					Seconds:   (in.batch*(r.small+r.pair*flops/base) + in.batch*in.batch*r.loss) / in.cores,
					Gradients: 4 * float64(cost.Parameters), Embeddings: in.batch * float64(cfg.EmbedDim()) * 2 * 4,
					Overlap: in.overlap, Collective: how, Link: scaling.Link{Latency: in.latency, Bandwidth: gbit / 8 * 1e9},
				}
				best, err := s.Worth(in.share, 1<<14)
				if err != nil {
					return "", err
				}
				row := []string{name, count(gbit), map[scaling.Collective]string{scaling.Ring: "ring", scaling.Tree: "tree"}[how]}
				for _, n := range []int{1, 8, 64, 512} {
					row = append(row, number(s.On(n), 3))
				}
				days := in.pairs / in.batch * s.On(best) / 3600 / 24
				rows = append(rows, append(row, strconv.Itoa(best), number(days, 3), number(s.On(1)/s.On(best)/float64(best), 2),
					money(days*24*float64(best)*in.cores*in.priceCoreHour)))
			}
		}
	}
	return grid([]string{"model", "Gbit/s", "sums by", "seconds a step on 1 machine", "8", "64", "512", "machines that pay", "days on those", "efficiency", "price"}, rows), nil
}
