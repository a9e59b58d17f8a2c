package encoder_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/goclip/goclip/encoder"
)

func vitB32(b *testing.B) *encoder.Model {
	b.Helper()
	cfg, ok := encoder.ConfigByName("ViT-B-32-quickgelu")
	if !ok {
		b.Fatal("no configuration of that name")
	}
	m, err := encoder.New(cfg, nil, 1)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkImageFeatures is ViT-B/32's image tower from pixels.
func BenchmarkImageFeatures(b *testing.B) {
	m := vitB32(b)
	for _, n := range []int{1, 8, 32} {
		b.Run(fmt.Sprint("batch=", n), func(b *testing.B) {
			pixels := make([]float32, n*3*224*224)
			for i := range pixels {
				pixels[i] = float32(i%251)/125 - 1
			}
			run(b, n, "images/s", func() error {
				_, err := m.ImageFeatures(context.Background(), pixels)
				return err
			})
		})
	}
}

// BenchmarkTextFeatures is ViT-B/32's text tower on captions that fill the
// context.
func BenchmarkTextFeatures(b *testing.B) {
	m := vitB32(b)
	for _, n := range []int{1, 8, 32} {
		b.Run(fmt.Sprint("batch=", n), func(b *testing.B) {
			ids := make([]int32, n*77)
			for i := range ids {
				ids[i] = int32(1 + i*7919%40000)
				if i%77 == 76 {
					ids[i] = 49407
				}
			}
			run(b, n, "texts/s", func() error {
				_, err := m.TextFeatures(context.Background(), ids)
				return err
			})
		})
	}
}

func run(b *testing.B, n int, unit string, pass func() error) {
	b.Helper()
	if err := pass(); err != nil { // compiles
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := pass(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), unit)
}
