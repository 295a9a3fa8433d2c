#include "sample.h"

#include <algorithm>
#include <cmath>

#include "clones.h"
#include "parallel.h"

namespace quoth {
namespace {

// products += x' x for `num_rows` rows of `width` columns.
QUOTH_CLONES void add_products(const float* x, int64_t stride, int32_t num_rows, int32_t width, float* products) {
  for (int32_t t = 0; t < num_rows; t++, x += stride) {
    for (int32_t i = 0; i < width; i++) {
      const float xi = x[i];
      float* row = products + static_cast<int64_t>(i) * kSampleGroup;
      for (int32_t j = 0; j < width; j++) row[j] += xi * x[j];
    }
  }
}

}  // namespace

void add_to_sample(Sample& sample, const Rows& x, int64_t stride) {
  const int32_t num_groups = (x.width - 1) / kSampleGroup + 1;
  if (sample.num_columns == 0) {
    sample.num_columns = x.width;
    sample.sums.assign(static_cast<size_t>(x.width), 0);
    sample.products.assign(static_cast<size_t>(num_groups) * kSampleGroup * kSampleGroup, 0);
  }
  share(num_groups, [&](int32_t g, int32_t) {
    const int32_t first = g * kSampleGroup;
    const int32_t width = std::min(kSampleGroup, x.width - first);
    add_products(x.data + first, x.stride, x.num_rows, width,
                 sample.products.data() + static_cast<int64_t>(g) * kSampleGroup * kSampleGroup);
    for (int32_t t = 0; t < x.num_rows; t++) {
      const float* row = x.data + static_cast<int64_t>(t) * x.stride;
      for (int32_t k = first; k < first + width; k++) sample.sums[static_cast<size_t>(k)] += std::fabs(row[k]);
    }
  });
  for (int32_t t = 0; t < x.num_rows; t++, sample.num_rows++) {
    if (sample.num_rows % stride != 0) continue;
    const float* row = x.data + static_cast<int64_t>(t) * x.stride;
    sample.rows.insert(sample.rows.end(), row, row + x.width);
    sample.num_kept++;
  }
}

void scale_sample(Sample& sample, const float* factors) {
  const size_t num_columns = static_cast<size_t>(sample.num_columns);
  for (size_t k = 0; k < num_columns; k++) sample.sums[k] *= std::fabs(factors[k]);
  for (size_t i = 0; i < sample.rows.size(); i++) sample.rows[i] *= factors[i % num_columns];
  for (size_t k = 0; k < num_columns; k++) {
    const size_t first = k / kSampleGroup * kSampleGroup;
    float* row = sample.products.data() + k * kSampleGroup;
    for (size_t j = 0; j < std::min<size_t>(kSampleGroup, num_columns - first); j++) {
      row[j] *= factors[k] * factors[first + j];
    }
  }
}

}  // namespace quoth
