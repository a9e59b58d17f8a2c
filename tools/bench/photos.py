"""Times PyTorch with torchvision's transforms from JPEG files to features.

usage: photos.py CHECKPOINT PICTURES WORKERS FILE... [--threads T]
"""
import json
import sys
import time

import torch_clip  # puts the thread settings in place before torch is loaded
import torch
from PIL import Image
from torchvision import transforms as T

files = [f for f in sys.argv[4:] if f.endswith(".jpg")]
files = [files[i % len(files)] for i in range(int(sys.argv[2]))]
model = torch_clip.load_checkpoint(sys.argv[1])
preprocess = T.Compose([
    T.Resize(224, interpolation=T.InterpolationMode.BICUBIC), T.CenterCrop(224), lambda image: image.convert("RGB"),
    T.ToTensor(), T.Normalize(torch_clip.MEAN, torch_clip.STD)])


class Files(torch.utils.data.Dataset):
    def __len__(self):
        return len(files)

    def __getitem__(self, i):
        return preprocess(Image.open(files[i]))


loader = torch.utils.data.DataLoader(Files(), batch_size=32, num_workers=int(sys.argv[3]))
start = time.perf_counter()
with torch.no_grad():
    for batch in loader:
        model.encode_image(batch)
seconds = time.perf_counter() - start
print(json.dumps({"what": "photos", "items_per_s": len(files) / seconds, "peak_rss_mib": torch_clip.peak_rss_mib()}))
