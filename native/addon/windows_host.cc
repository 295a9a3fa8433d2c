// Windows only. The addon is linked against "node.exe", but under Electron the program that holds Node-API has another
// name: when the loader comes to look for node.exe, give it the program that runs.
#include <windows.h>
// after windows.h
#include <delayimp.h>
#include <string.h>

static FARPROC WINAPI on_delayed_load(unsigned int event, DelayLoadInfo* info) {
  if (event != dliNotePreLoadLibrary || _stricmp(info->szDll, "node.exe") != 0) return nullptr;
  return reinterpret_cast<FARPROC>(GetModuleHandleW(nullptr));
}

decltype(__pfnDliNotifyHook2) __pfnDliNotifyHook2 = on_delayed_load;
