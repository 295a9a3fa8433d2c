/** The sign of Quoth for the tray and for notices: renderer/common/quoth.svg, drawn in three sizes. PNG, base64. */
import { type NativeImage, nativeImage } from 'electron';

const drawn: Record<number, string> = {
  16: [
    'iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAYAAAAf8/9hAAABSklEQVR4nJyTO0vDYBSG35MGlWIvCpWUgiIWL5E66SQ4iHQSVKzg',
    'ZXRw8Afo6Kh/QUfRxRuIIDi6VxdtHYqDgx0qtaEYNWiPX4RKTJMU8kw5T3hfko/vyBCEVjLTYN4kYBigKDzhCgP3INquHhxfUGhp',
    'fpaIzuADZp6TQdiAX0RWIqYh+MTMSqIlYn8hBySMJ5WmzszK9rASCeJoLY3y2ydmCpeu7q/YXrC/OgXt3cDi7pWnqyNZh4n+OFKJ',
    'TjxrOsZ6u1ydlUBrSt2qD2m1G5ODCQwoUSyMJlHWPxBrDza426cX5y/45tq/9r5YxNG5/sLpzaNoL/0+Fys69q5zjs4KhZczDBtq',
    'vAOFkgbjq+bpTGQwNPtdyBVf7Z2OzsxKTJyHT8ysJFp24BeRDRh3+YeWETUrph6xzmFxLG1NUuY6Z8U6r1cPT85/AAAA///6+ZGw',
    'AAAABklEQVQDAAuBiQ/7aqNLAAAAAElFTkSuQmCC',
  ].join(''),
  32: [
    'iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAYAAABzenr0AAACt0lEQVR4nMSXXUhTYRjH/+97pjNzmmmoFVRkOkeimRf2IWUfdNFN',
    'H4JlkQrdBN0ZBVKQdJnQRV1VYgVJguVFIUSXBita6Qg3Qiv0xowatWm4tp235xxtDdmmb9vOfhfnPOe8/3OeP+/Hec9jwiJyTx2r',
    'E4K1QaACDDYGVoAEEBDf6eACmItx9Z734ZNXke0sHLXuzbL4CzspamcMClKAEAiBqV2+nIkruP02EDawsuloFVeUProohwEIIZyq',
    'qrbM9g04uXaDK+ykUck1GGNVWk49tpxo3AmOITLAYSACUNVQqMZEg3DG6OQaWk7OlXOUWFQjfVhNtMysSB9WTn2RJ/OEOUPBigwl',
    'KTpa7kVSY9+4fTNedxxHc11ZUnQayzKQaeLobm3AreZ6FOdmo6m2NCFdJKalBJz6qadtH/Zb1+vXj96MofOp47910gYuHKoOv/SB',
    '/QMu9tsT0kkZKMzJwvmGrXrsmZ3DtWeOhHTSBo5s20TjOj+TX45/gW8ukJBO2sCesrXhuH5LCaa6WjDhmcHjd59w44UTwZAqpYtG',
    '3FVQuW51OM7PNmubCDYWWNB+sAqXD9dI66QNrKKXxeLsbhssWRlSOmkDgThdZ1I4Kkry9TioimXppA2Mf/Uibvv0T/08tnBeSidt',
    '4M7QaMy2geHP8PzyS+mioZgrbVdjNbqnftAwhLCrtFifWH/pd3xEx4Ad/qAqpYsGy21ujD2AC5QX5aFmwxrkmDPxfHQSk7TEEtFJ',
    'G0glnH6Vp5EmtNy0iYkRpAktN6fKJW0GtNyc/gm7qSt+w2gEZhhX7ir+926PubIiSMvnAIzlkre3f1D/EPmC/DrNiGEYx4g3yG5q',
    'wfwm7nIJf23R/cwQ7RqC7aBvSUoKFb04Bbp85m+n0Tv4rziNRC/PVd5KcltSy3MGN836nsXl+R8AAAD//6kpVOMAAAAGSURBVAMA',
    'QWEfRGA0fjYAAAAASUVORK5CYII=',
  ].join(''),
  64: [
    'iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAYAAACqaXHeAAAFbUlEQVR4nOybW2wUVRzGvzO7bIEyLYVCiwhSxEIwxYJIUF5Kg8qt',
    '5SJFLhFjjJEE1GiMRgGtQXj3wagIkQfuG6BugxIiBghijUKrRC6VFiigvaw07fQCu+sc/6cpve20nZ05W+yOv6TZmXNmvuz/67nv',
    'OW5EgLpiaS4Yy2PAo3SbzMGSGcMg3Fd4E8D89OnnHBco4YC292Ch2bdZr0+sWpCkYuD7jLO19PQQ9Ac46jjjX2q4sxV7jtT29Gj3',
    'BuTleVS3vp4xtpHuktA/oeD55vqg8im83oDRA8YG5OaqaryngIp3NmIADnytNQRegM+ndc0LM0B9fkk6XC4fZUxEDME5vwSXsljb',
    '5b3cMb2TAeqaJcMRVH6kYv8IYhAyoRQIzNL2FvrvpSltuVlZbgRdhbEavIBiSwfzFLTE2kqbAeqo4W9TnX8SMQ4DmyVibb8n1JU5',
    '1J97yulWhTOo14NsQoPXW9NaAuI+dlDwggTm5pvFBcPqeQmqHl9Dxd8DB0EN4l1NaRrpVvXB2U4LXkANYpyInVpDNheOhc2lNoBn',
    'wrHwTDcV/1Q4FBG7QlNIxxogYneLxgAORcSuoA9ITxmKh0cmQhYy9aJqwPRxI7Dnladx6p3FeGvOFNhFtp4gKga4FIYPcqajcP18',
    'ZE8a3ZK2KDMNqQmDYQXZep204zIm50MiDwyNx4FXn0XOY+NEHWtLVygInZYmTpb+iUiQrdcVNyQy7aER2P3yHCTFG7erGaOHIRJk',
    '6xkhzYCZ41NQsG6eYV5jIIitR85hx+mLMItsve6QYsDIhEHY/uJsw7yLf9VixbZjqKpvhllk6/WEFAO2r8lC8pCBYenFFTUtX7au',
    'OYhIkK3XE7YNWJQ5DjPSUsLSr/+tYdlnx1qK6/3U6w1bBnhcCj7KnWGY9+b+HyL+srL1zGDLANE1pSaG98XHLtzAmbJKRIpsPTPY',
    'MmDJtDTD9FMW+2bZemawbEDiIA9mTxxtmHf2eg0iRbaeWSwbMGvCKBqiGo+k3507FVmtwZy/dRullbU4fukmDp272md6ZmEJq5Zx',
    'WGDDgsfxWnZGRO+cuHwLr+87jWqDPly2nlksT4amjk1GpIj/4tE3FmKYwdBWtp5ZLBswJsnaVgExucnPfSLqemaxbMDgOOsdyPLp',
    'E8ImOLL1zGLdAI+9QeRT41OjqmcWywbEewbADukpiVHVM4tlA6q1JthhaJciK1vPLJYNuObXYIfKuqao6pnFsgFnyqpgh6Lyqqjq',
    'mcWyAQd+uQKriEWN4gp/VPXMYtmA8pp67PnpD1jhvUNFUdczi61l8Q2Hi/Drjcic3/rN2W6Lq2w9M9haFg/pHLuKSmmJKoApDw7v',
    'sS+/Ris6a3edxP6fy/pMzwyWJ0NdGTjAjQVTxuKZyWMwQm3fPqxRMAUlV3G4OLKZm2y97pBmQH+lT34c/S/zvwFitxQciohdod8b',
    'o7Pc2g8QsYstMo41QMRObQArgWNhJWKb3FE4FB3/FCia0vS9ExtCKv6BRrXiuILd39ZTUdgJ5/EVtp0NtowDdAQ+pOHgHTgEESsP',
    'sU3iusWAxr2+KqoGX8Ax6J+IswLiqm0k2NAY3EQm/IYYh4MXaZ7b+ffu24fCPp8WCinz6YGbiF2uwK0vxM4TbdU97Nhc/Oq8DBfn',
    'p+kyATEEtfr+gB6aeXd/QacFhLDJUONu73kEWRpVhzOIGfh3LMQmdg1e0P3R2XwoaunSl8CVLTRmTkE/hKpzNXVxG7VJB3dQPLrR',
    'M70fnhbHaIe4NzCurOtfh6f1z7WG0Baj47Id6d2ADqgrn8uhj+VUIibTq/R7Nqc/Zn/Drg2objczcLGS6qf+/XdK8Gr7DvnMvv8v',
    'AAAA//+b0rO9AAAABklEQVQDAK2KQL2gaLTUAAAAAElFTkSuQmCC',
  ].join(''),
};

/** 16 units wide, sharp on screens of every scale. */
export function trayIcon(): NativeImage {
  const icon = nativeImage.createEmpty();
  for (const [pixels, base64] of Object.entries(drawn))
    icon.addRepresentation({ scaleFactor: Number(pixels) / 16, dataURL: `data:image/png;base64,${base64}` });
  return icon;
}

/** 64 pixels wide. */
export function noticeIcon(): NativeImage {
  return nativeImage.createFromDataURL(`data:image/png;base64,${drawn[64]}`);
}
