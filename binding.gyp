# What the addon is made of, and how: node-gyp builds a checkout by it, and where the package's
# compiled addon does not load, scripts/lib/compile-native.mjs reads it. So it is JSON but for
# lines like these. It is no part of the package under this name: installers would run node-gyp.
{
  "targets": [
    {
      "target_name": "tsvmm",
      "sources": ["<!@(echo native/*.cc)"],
      "include_dirs": ["node_modules/node-addon-api"],
      "defines": [
        "NAPI_VERSION=9",
        "NAPI_CPP_EXCEPTIONS",
        "NODE_ADDON_API_CPP_EXCEPTIONS_ALL",
        # A worker may be terminated while the addon throws.
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED"
      ],
      # Behind Node.js's own, some of which these take back.
      "cflags_cc": [
        "-std=c++20",
        "-fexceptions",
        "-frtti",
        "-O2",
        "-fvisibility=hidden",
        "-ffunction-sections",
        "-fdata-sections",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused-parameter",
        "-Wno-cast-function-type"
      ],
      # Signal handlers stay when the last worker has gone, so the code stays, too (nodelete).
      # With the C++ library inside, an older one than the compiler's will do for those who get the
      # addon. Nothing of it is exported, or it would mix with Node.js's own.
      "ldflags": [
        "-static-libstdc++",
        "-Wl,--gc-sections",
        "-Wl,-z,nodelete",
        "-Wl,--version-script=<(module_root_dir)/native/exports.map"
      ]
    }
  ]
}
