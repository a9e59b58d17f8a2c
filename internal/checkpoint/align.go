package checkpoint

import (
	"math"
	"slices"

	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// hfALIGN is transformers' AlignModel: an EfficientNet, and a BERT whose first token is
// pooled. It stores the temperature itself.
func hfALIGN() hfClass {
	return hfClass{
		modelType: "align", names: "align_transformers chinese_clip_transformers",
		read: func(root *object) Spec {
			readout := hfReadout(value(root, "projection_dim", 640), text.PoolFirst)
			readout.Head = text.HeadBias
			return Spec{
				InitLogitScale: hfTemperature(root, 1),
				Vision:         hfEfficientNet(root.object("vision_config")),
				Text:           readBERT(root.object("text_config"), readout, false, 30522, 0, 1e-12),
			}
		},
	}
}

// hfTemperature reads what cosines are divided by before training, and returns the
// logarithm of what they are multiplied by.
func hfTemperature(root *object, def float64) float64 {
	t := value(root, "temperature_init_value", def)
	if !(t > 1e-30 && t < 1e30) {
		root.fail("%s is %g, want a positive number", root.name("temperature_init_value"), t)
		return 0
	}
	return -math.Log(t)
}

// hfEfficientNet reads a base network with the factors that it is made wider and deeper by
// (Tan and Le, 2019).
func hfEfficientNet(o *object) vision.Config {
	o.only("num_channels", "3")
	o.only("hidden_act", `"swish"`, `"silu"`)
	o.only("pooling_type", `"mean"`)
	width := filters{o: o, factor: value(o, "width_coefficient", 2.0), unit: value(o, "depth_divisor", 8)}
	depth := value(o, "depth_coefficient", 3.1)
	c := vision.EfficientNet{
		ImageSize: o.pair("image_size", square(600)), StemWidth: width.round(32),
		SqueezeRatio: value(o, "squeeze_expansion_ratio", 0.25), NormEps: value(o, "batch_norm_eps", 1e-3),
	}
	ins := stages(o, "in_channels", 32, 16, 24, 40, 80, 112, 192)
	outs := stages(o, "out_channels", 16, 24, 40, 80, 112, 192, 320)
	kernels, strides := stages(o, "kernel_sizes", 3, 3, 5, 3, 5, 5, 3), stages(o, "strides", 1, 2, 2, 2, 1, 2, 1)
	repeats, expand := stages(o, "num_block_repeats", 1, 2, 2, 3, 3, 4, 1), stages(o, "expand_ratios", 1, 6, 6, 6, 6, 6, 6)
	even := list[int](o, "depthwise_padding") // numbers of blocks
	for _, x := range [][]int{outs, kernels, strides, repeats, expand} {
		if len(x) != len(ins) || len(x) == 0 || len(x) > len(c.Stages) {
			o.fail("the lists of %s have different numbers of elements, or not 1 to %d", o.path, len(c.Stages))
			return c
		}
	}
	in, block := c.StemWidth, 0
	for i := range ins {
		n := math.Ceil(depth * float64(repeats[i]))
		if !(n >= 1 && n <= 1000) || ins[i] < 1 || width.round(ins[i]) != in {
			o.fail("stage %d of %s has %g blocks and %d channels going in, want 1 to 1000 and what leaves the stage before", i, o.path, n, ins[i])
			return c
		}
		in = width.round(outs[i])
		c.Stages[i] = vision.EfficientNetStage{
			Blocks: int(n), Width: in, Kernel: kernels[i], Stride: strides[i], Expand: expand[i],
			EvenPadding: strides[i] == 2 && slices.Contains(even, block),
		}
		block += int(n)
	}
	return c
}

// stages reads a number for each stage.
func stages(o *object, key string, def ...int) []int {
	if v := list[int](o, key); v != nil {
		return v
	}
	if o.has(key) {
		o.fail("%s is %s, want a list of integers", o.name(key), short(o.fields[key]))
	}
	return def
}

// filters scales numbers of channels.
type filters struct {
	o      *object
	factor float64
	unit   int
}

// round returns the multiple of unit that is nearest to the scaled number, or the next one
// where that is less than 90 % of it.
func (f filters) round(channels int) int {
	scaled := float64(channels) * f.factor
	if !(scaled > 0 && scaled <= maxDim) || f.unit < 1 || f.unit > maxDim {
		f.o.fail("%d channels times width_coefficient %g, in steps of depth_divisor %d, want 1 to %d", channels, f.factor, f.unit, maxDim)
		return 0
	}
	n := max(f.unit, int(scaled+float64(f.unit)/2)/f.unit*f.unit)
	if float64(n) < 0.9*scaled {
		n += f.unit
	}
	return n
}
